"""How many episodes methods need to reach a return: the lecture's comparison of data efficiency.

The lecture sets PlaNet, which learns from pixels, beside D4PG and A3C by the episodes that they
collected ("Comparison to model-free agents"). Here a method's figure is when an evaluation first
reached the return that was asked for, of each seed.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from pipelines.reports import published
from pipelines.reports.configurations import settings
from pipelines.reports.data import Run
from pipelines.reports.groups import Group, series

_UNKNOWN = "–"


class Reached(NamedTuple):
    """When a method's seeds reached a return.

    Attributes:
      episodes: collected until then, of the seeds that did; sorted.
      missed: episodes that the other seeds collected without reaching it; sorted.
    """

    episodes: list[int]
    missed: list[int]

    @property
    def median(self) -> float | None:
        """Over all seeds, those that missed it last; None where the middle one missed it."""
        count = len(self.episodes) + len(self.missed)
        places = {(count - 1) // 2, count // 2}
        if not count or max(places) >= len(self.episodes):
            return None
        return statistics.mean(self.episodes[place] for place in places)


def reached(group: Group, goal: float) -> Reached:
    """When the evaluations of each seed first came to `goal`; runs that never evaluate are none."""
    episodes, missed = [], []
    for run in group.runs:
        places, values = series(run, "evaluation/return", "episodes")
        if not len(places):
            continue
        first = next((p for p, v in zip(places, values, strict=True) if v >= goal), None)
        if first is None:
            missed.append(int(places[-1]))
        else:
            episodes.append(int(first))
    return Reached(sorted(episodes), sorted(missed))


def table(groups: Sequence[Group], goal: float) -> tuple[list[str], list[list[str]]]:
    """Columns and one row a method, within each environment the fewest episodes first.

    The factor is a method's median over the least median of its environment.
    """
    columns = ["method", "environment", "sees", f"episodes until {goal:g}, each seed"]
    rows = []
    for environment in sorted({group.environment for group in groups}):
        here = [(g, reached(g, goal)) for g in groups if g.environment == environment]
        here = [(group, found) for group, found in here if found.episodes or found.missed]
        medians = [found.median for _, found in here if found.median is not None]
        here.sort(key=lambda item: (item[1].median is None, item[1].median or 0))
        rows += [_cells(group, found, min(medians, default=0)) for group, found in here]
    return [*columns, "median", "factor"], rows


def published_factors(environment: str) -> str:
    """What the lecture says of an environment; empty where it says nothing."""
    factor = published.efficiency(environment)
    return f"PlaNet needs {factor} times fewer episodes than D4PG" if factor else ""


def _cells(group: Group, found: Reached, least: float) -> list[str]:
    each = ", ".join(map(str, found.episodes))
    missed = ", ".join(f"not within {count}" for count in found.missed)
    median, factor = found.median, _UNKNOWN
    if median is not None and least:
        factor = f"{median / least:.3g}"
    return [
        group.label,
        group.environment.rpartition("/")[2].replace("_", " "),
        _sees(group.runs[0]),
        ", ".join(filter(None, (each, missed))),
        _UNKNOWN if median is None else f"{median:g}",
        factor,
    ]


def _sees(run: Run) -> str:
    """`pixels`, `state`: what the environment's configuration calls its observation."""
    for name, value in settings(run.config).items():
        if name.endswith(".observation"):
            return value.strip("'\"")
    return _UNKNOWN
