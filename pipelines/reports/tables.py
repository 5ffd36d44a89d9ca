"""Tables of a report, as words: returns beside published ones, what differs, the runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.reports import atari, published
from pipelines.reports.configurations import settings
from pipelines.reports.data import Run, words
from pipelines.reports.groups import (
    Group,
    Result,
    bootstrap_interval,
    differing,
    result,
    series,
)

_UNKNOWN = "–"
_REVISION_LETTERS = 9


class Row(NamedTuple):
    """What a method earns in one environment, as words.

    Attributes:
      method: its name.
      earned: its return.
      data: what it learned from.
    """

    method: str
    earned: str
    data: str


class Returns(NamedTuple):
    """What methods earn in one environment: what was measured here, and what others published."""

    environment: str
    measured: list[Row]
    published: list[Row]


def returns(groups: Sequence[Group]) -> list[Returns]:
    """The last evaluations, by environment, beside published figures."""
    found = []
    for environment in sorted({group.environment for group in groups}):
        here = [(group, result(group)) for group in groups if group.environment == environment]
        ours = [Row(group.label, _earned(last), _data(last)) for group, last in here if last]
        theirs = [
            Row(row.method, f"{value:g}", row.data) for row, value in published.at(environment)
        ]
        found.append(Returns(environment_words(environment), ours, theirs))
    return found


def what_differs(groups: Sequence[Group]) -> dict[str, list[str]]:
    """Settings in which groups differ: each group's value by name."""
    found = differing(groups)
    return {name: [value or _UNKNOWN for value in values] for name, values in found.items()}


def runs(groups: Sequence[Group]) -> tuple[list[str], list[list[str]]]:
    """Columns and one row a run."""
    columns = ["method", "environment", "seed", "episodes", "steps", "updates", "minutes"]
    columns += ["last evaluation", "best evaluation", "revision", "folder"]
    return columns, [_run_cells(group, run) for group in groups for run in group.runs]


def goals(groups: Sequence[Group]) -> tuple[list[str], list[list[str]]]:
    """Columns and one row a method: its last evaluations, and how many seeds came to the goal.

    A seed that came to the goal at some evaluation counts as `reached`, one that was there at the
    last one as `at the end`.
    """
    columns = ["method", "environment", "seeds", "last evaluation", "95 % interval"]
    columns += ["goal", "reached", "at the end"]
    return columns, [_goal_cells(group) for group in groups]


def goal(group: Group) -> float | None:
    """Of the experiment, as a run's configuration says."""
    said = (settings(run.config).get("Experiment.goal", "None") for run in group.runs)
    return next((float(value) for value in said if value != "None"), None)


def as_text(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    padded = [[f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)


def atari_scores(groups: Sequence[Group]) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """Columns, measured rows and published ones of human-normalised scores; rows none: no games."""
    columns = ["method", "median", "mean", "interquartile mean", "learned from"]
    measured = [
        [
            found.label,
            *map(_percent, (found.median, found.mean, found.interquartile_mean)),
            f"{len(found.scores)} of {len(atari.SCORES)} games, {count(found.runs, 'run')}",
        ]
        for found in atari.aggregates(groups)
    ]
    theirs = [
        [
            row.method,
            f"{row.median:g} %",
            _UNKNOWN if row.mean is None else f"{row.mean:g} %",
            _UNKNOWN,
            f"57 games, {row.frames} frames each",
        ]
        for row in published.ATARI_ROWS
    ]
    return columns, measured, theirs


def environment_words(environment: str) -> str:
    """`dm_control/cartpole_balance` as "cartpole balance (dm control)"."""
    where, _, task = environment.rpartition("/")
    return f"{words(task)} ({words(where)})" if where else words(task)


def count(number: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{_grouped(number)} {noun}" + ("" if number == 1 else "s")


def mean_and_error(mean: float, error: float | None) -> str:
    """`972.1 ± 2.3`: as many digits as two of the error's."""
    if not error:
        return f"{mean:.5g}" + ("" if error is None else " ± 0")
    digits = max(0, 1 - math.floor(math.log10(error)))
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def _run_cells(group: Group, run: Run) -> list[str]:
    summary = run.summary
    seconds = summary.get("wall_clock_seconds")
    return [
        group.label,
        environment_words(group.environment),
        str(run.seed),
        *(_plain(summary.get(name)) for name in ("episodes", "steps", "updates")),
        _UNKNOWN if seconds is None else f"{seconds / 60:.1f}",
        _evaluation(summary.get("evaluation")),
        _evaluation(summary.get("best_evaluation")),
        str(summary.get("git_revision") or _UNKNOWN)[:_REVISION_LETTERS],
        run.path.name,
    ]


def _goal_cells(group: Group) -> list[str]:
    measured = [series(run, "evaluation/return", "step")[1] for run in group.runs]
    measured = [values for values in measured if len(values)]
    last = np.array([values[-1] for values in measured])
    cells = [group.label, environment_words(group.environment), str(len(group.runs))]
    cells.append(f"{last.mean():.5g}" if len(last) else _UNKNOWN)
    interval = bootstrap_interval(last) if len(last) > 1 else ()
    cells.append(" to ".join(f"{end:.5g}" for end in interval) or _UNKNOWN)
    if (wanted := goal(group)) is None:
        return cells + [_UNKNOWN] * 3
    reached = sum(max(values) >= wanted for values in measured)
    at_the_end = sum(last >= wanted)
    return [*cells, f"{wanted:g}", *(f"{n} of {len(group.runs)}" for n in (reached, at_the_end))]


def _percent(found: atari.Estimate) -> str:
    """`12.3 % [10.1, 14]`: a share with its interval."""
    return f"{100 * found.value:.3g} % [{100 * found.low:.3g}, {100 * found.high:.3g}]"


def _plain(value: Any) -> str:
    return _UNKNOWN if value is None else _grouped(value)


def _grouped(number: int) -> str:
    """Digits in threes, held together."""
    return f"{number:,}".replace(",", "\u00a0")


def _evaluation(found: Mapping[str, Any] | None) -> str:
    return mean_and_error(found["mean"], found.get("standard_error")) if found else _UNKNOWN


def _earned(found: Result) -> str:
    return mean_and_error(found.mean, found.standard_error)


def _data(found: Result) -> str:
    """How much a run has collected, and how many there are."""
    return f"{count(round(found.collected), 'episode')}, {count(found.seeds, 'seed')}"
