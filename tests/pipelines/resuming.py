"""How tests tell that a run which was stopped and went on is the one that was not."""

from __future__ import annotations

import csv
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


def rows(logdir: pathlib.Path) -> list[dict[str, str]]:
    """The table of metrics, save times."""
    with open(logdir / "metrics.csv", newline="") as file:
        return [
            {name: value for name, value in row.items() if name not in TIMES}
            for row in csv.DictReader(file)
        ]


def outcome(logdir: pathlib.Path) -> dict[str, Any]:
    """All that the last checkpoint holds, save times, and the table of metrics."""
    unit = find_latest(logdir)
    reader = tf.train.load_checkpoint(str(unit.path / "weights"))
    names = [name for name in reader.get_variable_to_shape_map() if "GRAPH" not in name]
    state = unit.state
    run = {name: value for name, value in state["run"].items() if name != "wall_clock"}
    run["measured"] = {k: v for k, v in run["measured"].items() if k not in TIMES}
    return {
        "weights": {name: reader.get_tensor(name) for name in names},
        "state": {**state, "run": run},
        "rows": rows(logdir),
    }


def assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Asserts that two outcomes are equal, bit for bit."""
    tf.nest.assert_same_structure(one["weights"], other["weights"])
    for name, value in one["weights"].items():
        np.testing.assert_array_equal(value, other["weights"][name], err_msg=name)
    assert one["state"] == other["state"]
    assert one["rows"] == other["rows"]


def run_with_stops(make: Callable[[Stop], LocalRun], asked: int, stops: int = 2) -> None:
    """Runs to the end, stopped on the way at random ones of the `asked` moments that can be."""
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    random = np.random.RandomState(seed)
    for _ in range(stops):
        at = random.randint(1, asked)
        run = make(Stop(at))
        print(f"from {run.counters} stop at question {at} of {asked}")
        if run.finished:  # The stops so far fell behind the last question.
            run.close()
            return
        run.run()
    run = make(Stop())
    if run.finished:
        run.close()
    else:
        assert run.run()
