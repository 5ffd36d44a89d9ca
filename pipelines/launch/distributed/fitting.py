"""Which agents can be distributed, and whether their settings fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reverb

from agents.builder import Stage
from pipelines.launch.parts import Parts
from pipelines.system.errors import UserError


def only_stage(builder: Any, parts: Parts) -> Stage:
    """The stage of an agent that can be distributed.

    Raises:
      UserError: it cannot.
    """
    wrong = None
    if not parts.stages:
        wrong = "only plans and has no learner"
    elif len(parts.stages) > 1 or builder.cycles > 1:
        wrong = f"has {len(parts.stages)} stages in {builder.cycles} cycles"
    elif builder.gate is not None:
        wrong = "has a gate"
    elif parts.stages[0].dataset_options is None:
        wrong = "learns from files"
    if wrong is not None:
        raise UserError(
            f"--launcher=ray: {builder.name} {wrong}; expected an agent of one stage, without a "
            "gate, that learns from replay"
        )
    return parts.stages[0]


def check_room(stage: Stage, tables: Sequence[reverb.Table], total_rows: int) -> None:
    """Raises UserError where a queue is full before an update is due.

    Args:
      stage: what is learned.
      tables: of the run.
      total_rows: environments of all collectors.
    """
    options = stage.dataset_options
    least = options.batch_size or total_rows
    (room,) = [table.info.max_size for table in tables if table.name == options.table]
    if options.queue and room < least:
        raise UserError(
            f"the queue '{options.table}' has room for {room} rollouts (queue_capacity), but an "
            f"update takes {least}; expected at least as many"
        )
