"""Everything about a run that is neither weights, nor replay, nor a random state."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from agents.builder import Counters


@dataclasses.dataclass
class RunState:
    """Counters, results and what was measured but not yet reported; a checkpoint holds all of it.

    Attributes:
      step: environment steps collected, after action repeat.
      episodes: collected, seed episodes included.
      updates: of all learners together.
      rounds: of collecting and learning in turns.
      cycle, stage: which stage it is, and the how manieth time around.
      began: step, episodes, updates and rounds when that stage began.
      wall_clock: seconds of all starts together, imports apart.
      last_return: of the last collected episode; NaN before the first is over.
      rows: written to `metrics.csv`.
      measured: values by metric since the last row.
      returns: of all episodes of an agent that only plans: they are its evaluation.
      last_evaluation, best_evaluation: as `summary.evaluation_result` gives them.
      reported_at, evaluated_at: `step` or `episodes`, whichever the run's length is counted in, at
        the last row and the last evaluation.
      joined: how often a process has begun to collect, by its number, where these are others.
      evaluated_updates, gated_updates: `updates` at the last evaluation and the last gate.
      generation: how often a gate has let the learner's networks through.
    """

    step: int = 0
    episodes: int = 0
    updates: int = 0
    rounds: int = 0
    cycle: int = 0
    stage: int = 0
    began: tuple[int, ...] = (0, 0, 0, 0)
    wall_clock: float = 0.0
    last_return: float = math.nan
    rows: int = 0
    measured: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    returns: list[float] = dataclasses.field(default_factory=list)
    last_evaluation: dict[str, Any] | None = None
    best_evaluation: dict[str, Any] | None = None
    reported_at: int = 0
    evaluated_at: int = 0
    evaluated_updates: int = 0
    joined: dict[str, int] = dataclasses.field(default_factory=dict)
    gated_updates: int = 0
    generation: int = 0

    def counters(self) -> dict[str, float]:
        """What every report begins with."""
        names = ("step", "episodes", "updates", "wall_clock")
        return {name: getattr(self, name) for name in names}

    def of_stage(self) -> Counters:
        """How far the present stage is since it began."""
        return Counters(*(now - then for now, then in zip(self._now(), self.began, strict=True)))

    def next_stage(self, num_stages: int) -> None:
        """Begins the next stage; behind the last one comes the first one of the next cycle."""
        self.stage, self.began = self.stage + 1, self._now()
        if self.stage == num_stages:
            self.stage, self.cycle = 0, self.cycle + 1

    def count_from_here(self) -> None:
        """Lets the stage's counts begin now: what was counted before has another measure."""
        self.began = self._now()

    def measure(self, values: Mapping[str, Any]) -> None:
        """Notes numbers, or tensors [] or [n], which are read only when they are reported."""
        for name, value in values.items():
            self.measured.setdefault(name, []).append(value)

    def take_means(self) -> dict[str, float]:
        """Returns the mean of each metric since the last call; what was not measured is missing."""
        means = {name: _numbers(values) for name, values in self.measured.items()}
        self.measured = {}
        return {name: sum(values) / len(values) for name, values in means.items() if values}

    def is_best(self, result: Mapping[str, Any]) -> bool:
        """Whether none so far was better: where all games are won, who learned longer is best."""
        return self.best_evaluation is None or result["mean"] >= self.best_evaluation["mean"]

    def record_evaluation(self, result: dict[str, Any], at: int) -> bool:
        """Notes an evaluation of the present networks; returns whether it is the best so far."""
        is_best = self.is_best(result)
        self.last_evaluation, self.evaluated_at = result, at
        self.evaluated_updates = self.updates
        if is_best:
            self.best_evaluation = result
        return is_best

    def as_dict(self) -> dict[str, Any]:
        """The fields, with tensors read; `RunState(**…)` restores them."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["measured"] = {name: _numbers(values) for name, values in self.measured.items()}
        return copy.deepcopy(fields)

    def _now(self) -> tuple[int, ...]:
        return (self.step, self.episodes, self.updates, self.rounds)


def _numbers(values: list[Any]) -> list[float]:
    return [float(number) for value in values for number in np.ravel(value)]
