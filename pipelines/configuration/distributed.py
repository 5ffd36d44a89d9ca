"""What a distributed run's processes get, and how closely they follow each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Annotated

import gin

from agents.config import AtLeast, Count, Natural, Positive, check, expect


@gin.configurable
@dataclasses.dataclass(frozen=True)
class Distributed:
    """Settings of `--launcher=ray`; whoever runs locally needs none of them.

    Attributes:
      num_searchers: processes for the agent's transform (Reanalyze's search); 0: the learner's own.
      learner_resources, actor_resources, evaluator_resources, searcher_resources: what Ray reserves
        for each process by name, as in {'CPU': 1} or {'GPU': 1} or {'TPU': 4}.
      learner_threads, actor_threads: of TensorFlow's operations, the second of all processes but
        the learner's; None: all of the machine's cores.
      object_store_mb: memory for variables on their way, on a machine where this run starts Ray.
      variable_seconds: shortest time between two versions of the variables that actors take up.
      rounds_ahead: rounds of all actors that may be collected before they are learned from; who is
        further ahead waits.
      attempts: how often a process may end in a row, without having done anything, before the run
        does.
    """

    num_searchers: Natural = 0
    learner_resources: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"CPU": 1})
    actor_resources: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"CPU": 1})
    evaluator_resources: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"CPU": 1})
    searcher_resources: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"CPU": 1})
    learner_threads: Count | None = None
    actor_threads: Count | None = 1
    object_store_mb: Annotated[int, AtLeast(80)] = 256
    variable_seconds: Positive = 1.0
    rounds_ahead: Positive = 1.0
    attempts: Count = 3

    def __post_init__(self) -> None:
        check(self)
        for role in ("learner", "actor", "evaluator", "searcher"):
            name = f"{role}_resources"
            amounts = getattr(self, name).values()
            valid = all(isinstance(amount, int | float) and amount >= 0 for amount in amounts)
            expect(self, name, valid, "amounts by name, as in {'CPU': 1}")

    def ray_options(self, role: str) -> dict[str, object]:
        """Ray's words for what a process of that role is given."""
        amounts = dict(getattr(self, f"{role}_resources"))
        return {
            "num_cpus": amounts.pop("CPU", 0),
            "num_gpus": amounts.pop("GPU", 0),
            "resources": amounts,
        }
