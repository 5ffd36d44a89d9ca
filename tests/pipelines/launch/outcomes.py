"""All that a run has come to, so that two of them can be compared bit for bit."""

from __future__ import annotations

import csv
import json
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.launch.local import LocalRun
from pipelines.logdir.checkpointing import find_latest
from tests.pipelines.measured_times import TIMES


class Stop:
    """Says stop at the n-th time it is asked; None: never."""

    def __init__(self, at: int | None = None) -> None:
        self.asked, self._at = 0, at

    def __call__(self) -> bool:
        self.asked += 1
        return self.asked == self._at


def rows(logdir) -> list[dict[str, str]]:
    with open(logdir / "metrics.csv", newline="") as file:
        return [
            {name: value for name, value in row.items() if name not in TIMES}
            for row in csv.DictReader(file)
        ]


def outcome(logdir) -> dict[str, Any]:
    """All that the last checkpoint holds, save times, and the table of metrics."""
    unit = find_latest(logdir)
    reader = tf.train.load_checkpoint(str(unit.path / "weights"))
    names = [name for name in reader.get_variable_to_shape_map() if "GRAPH" not in name]
    state = json.loads((unit.path / "state.json").read_text())  # Arrays as text.
    run = {name: value for name, value in state["run"].items() if name != "wall_clock"}
    run["measured"] = {k: v for k, v in run["measured"].items() if k not in TIMES}
    return {
        "weights": {name: reader.get_tensor(name) for name in names},
        "state": {**state, "run": run},
        "rows": rows(logdir),
    }


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    tf.nest.assert_same_structure(one["weights"], other["weights"])
    for name, value in one["weights"].items():
        np.testing.assert_array_equal(value, other["weights"][name], err_msg=name)
    assert one["state"] == other["state"]
    assert one["rows"] == other["rows"]


def assert_stops_change_nothing(
    make: Callable[..., LocalRun], reference: pathlib.Path, asked: int, logdir: pathlib.Path
) -> None:
    """A run that is stopped twice, at random moments, comes to what the uninterrupted one did.

    Args:
      make: (log directory, stop=) → the run.
      reference: log directory of the uninterrupted run.
      asked: how often that one asked whether to stop.
      logdir: of the stopped one.
    """
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    random = np.random.RandomState(seed)
    for _ in range(2):
        assert not make(logdir, stop=Stop(random.randint(1, asked // 2))).run()
    assert make(logdir).run()
    assert_equal(outcome(logdir), outcome(reference))
