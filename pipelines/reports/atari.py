"""Scores of Atari games as papers report them: human-normalised, over games and seeds.

A score is 0 for random play and 1 for a human. Over the games of a method: median and mean of the
games' means, and the interquartile mean of all runs, the mean of their middle half (Agarwal et al.
2021, "Deep reinforcement learning at the edge of the statistical precipice"). Their intervals are
of a stratified bootstrap, in which each game's runs are drawn anew from that game's; it is that
paper's method (PyPI `rliable`, which would bring nine packages).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.reports.atari_scores import SCORES
from pipelines.reports.configurations import settings
from pipelines.reports.data import Run, words
from pipelines.reports.groups import Group

_ENVIRONMENT = "atari/"
_RESAMPLES = 2000


class Estimate(NamedTuple):
    """A number, and where it lies with 95 % confidence."""

    value: float
    low: float
    high: float


class Aggregate(NamedTuple):
    """A method over all its games, human-normalised.

    Attributes:
      label: of the method.
      scores: [runs] of each game.
      median, mean, interquartile_mean: over the games.
    """

    label: str
    scores: Mapping[str, np.ndarray]
    median: Estimate
    mean: Estimate
    interquartile_mean: Estimate

    @property
    def runs(self) -> int:
        """How many there are in all."""
        return sum(map(len, self.scores.values()))


def human_normalised(game: str, score: float) -> float:
    """(score − random) / (human − random)."""
    random, human = SCORES[game]
    return (score - random) / (human - random)


def aggregates(groups: Sequence[Group]) -> list[Aggregate]:
    """The last evaluations of methods in Atari games, which differ in the game alone."""
    methods: dict[tuple[object, ...], dict[str, list[float]]] = {}
    for run in (run for group in groups for run in group.runs):
        game = run.summary["environment"].removeprefix(_ENVIRONMENT)
        if game in SCORES and run.summary.get("evaluation"):
            score = human_normalised(game, run.summary["evaluation"]["mean"])
            methods.setdefault(_method(run), {}).setdefault(game, []).append(score)
    labels = _labels([str(agent) for agent, _ in methods])
    return [
        aggregate(label, {game: np.array(found) for game, found in sorted(scores.items())})
        for label, scores in zip(labels, methods.values(), strict=True)
    ]


def aggregate(label: str, scores: Mapping[str, np.ndarray]) -> Aggregate:
    """Median, mean and interquartile mean of scores [runs] by game."""
    random, games = np.random.RandomState(0), list(scores.values())
    drawn = [
        [game[random.randint(len(game), size=len(game))] for game in games]
        for _ in range(_RESAMPLES)
    ]
    estimates = []
    for statistic in (_median, _mean, interquartile_mean):
        low, high = np.quantile([statistic(sample) for sample in drawn], (0.025, 0.975))
        estimates.append(Estimate(float(statistic(games)), float(low), float(high)))
    return Aggregate(label, scores, *estimates)


def interquartile_mean(games: Sequence[np.ndarray]) -> float:
    """The mean of what is left of all runs without the least and the greatest quarter.

    Where a quarter is no whole number of runs, it is rounded down (as in SciPy's `trim_mean`).
    """
    runs = np.sort(np.concatenate(games))
    cut = len(runs) // 4
    return float(runs[cut : len(runs) - cut].mean())


def _median(games: Sequence[np.ndarray]) -> float:
    return float(np.median([game.mean() for game in games]))


def _mean(games: Sequence[np.ndarray]) -> float:
    return float(np.mean([game.mean() for game in games]))


def _method(run: Run) -> tuple[object, ...]:
    """What runs of one method have in common, whatever the game."""
    found = settings(run.config)
    same = {name: value for name, value in found.items() if not name.endswith("atari.game")}
    return run.summary["agent"], frozenset(same.items())


def _labels(agents: Sequence[str]) -> list[str]:
    """The agents' names, with numbers where one has several configurations."""
    taken: dict[str, int] = {}
    labels = []
    for agent in agents:
        taken[agent] = taken.get(agent, 0) + 1
        labels.append(words(agent) if taken[agent] == 1 else f"{words(agent)} #{taken[agent]}")
    return labels
