"""Tables of a report, as words: returns beside published ones, what differs, the runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipelines.reports import atari, published
from pipelines.reports.data import Run, words
from pipelines.reports.groups import Group, Result, differing, result

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
