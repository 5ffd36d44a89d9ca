"""Everything about a run that is neither weights, nor replay, nor a random state."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass
class RunState:
    """Counters, results and what was measured but not yet reported; a checkpoint holds all of it.

    Attributes:
      step: environment steps collected, after action repeat.
      episodes: collected, seed episodes included.
      updates: of the learner.
      wall_clock: seconds of all starts together, imports apart.
      last_return: of the last collected episode; NaN before the first is over.
      rows: written to `metrics.csv`.
      measured: values by metric since the last row.
      last_evaluation, best_evaluation: as `summary.evaluation_result` gives them.
      evaluated_episodes: `episodes` at the last evaluation.
    """

    step: int = 0
    episodes: int = 0
    updates: int = 0
    wall_clock: float = 0.0
    last_return: float = math.nan
    rows: int = 0
    measured: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    last_evaluation: dict[str, Any] | None = None
    best_evaluation: dict[str, Any] | None = None
    evaluated_episodes: int = 0

    def counters(self) -> dict[str, float]:
        """What every report begins with."""
        names = ("step", "episodes", "updates", "wall_clock")
        return {name: getattr(self, name) for name in names}

    def measure(self, values: Mapping[str, Any]) -> None:
        """Notes numbers, or scalar tensors, which are read only when they are reported."""
        for name, value in values.items():
            self.measured.setdefault(name, []).append(value)

    def take_means(self) -> dict[str, float]:
        """Returns the mean of each metric since the last call."""
        means = {name: sum(map(float, v)) / len(v) for name, v in self.measured.items()}
        self.measured = {}
        return means

    def record_evaluation(self, result: dict[str, Any]) -> bool:
        """Notes an evaluation of the present networks; returns whether it is the best so far."""
        best = self.best_evaluation
        is_best = best is None or result["mean"] > best["mean"]
        self.last_evaluation, self.evaluated_episodes = result, self.episodes
        if is_best:
            self.best_evaluation = result
        return is_best

    def as_dict(self) -> dict[str, Any]:
        """The fields, with tensors read; `RunState(**…)` restores them."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        measured = {name: [float(value) for value in v] for name, v in self.measured.items()}
        return {**fields, "measured": measured}
