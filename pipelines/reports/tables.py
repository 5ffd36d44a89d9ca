"""Tables of a report, as words: returns beside published ones, what differs, the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipelines.reports import published
from pipelines.reports.data import Run, words
from pipelines.reports.groups import Group, Result, differing, result

_UNKNOWN = "–"
_REVISION_LETTERS = 9


class Row(NamedTuple):
    """A method's row.

    Attributes:
      method: its name.
      returns: one for each environment.
      data: what it learned from.
    """

    method: str
    returns: list[str]
    data: str

    @property
    def cells(self) -> list[str]:
        """From left to right."""
        return [self.method, *self.returns, self.data]


class Returns(NamedTuple):
    """What methods earn.

    Attributes:
      environments: names, in columns.
      measured, published: rows of ours and of others.
    """

    environments: list[str]
    measured: list[Row]
    published: list[Row]

    @property
    def columns(self) -> list[str]:
        """Names of the cells."""
        return ["method", *map(environment_words, self.environments), "learned from"]


def returns(groups: Sequence[Group]) -> Returns:
    """The last evaluations, and what others have published in these environments."""
    environments = sorted({group.environment for group in groups})
    found: dict[str, dict[str, Result]] = {}
    for group in groups:
        if (last := result(group)) is not None:
            found.setdefault(group.label, {})[group.environment] = last
    measured = [
        Row(label, [_cell(cells.get(name)) for name in environments], _data(cells))
        for label, cells in found.items()
    ]
    theirs = []
    for row in published.ROWS:
        values = [published.return_of(row, name) for name in environments]
        if any(value is not None for value in values):
            cells = [_UNKNOWN if value is None else f"{value:g}" for value in values]
            theirs.append(Row(row.method, cells, row.data))
    return Returns(environments, measured, theirs)


def what_differs(groups: Sequence[Group]) -> dict[str, list[str]]:
    """Settings in which groups differ: each group's value by name."""
    found = differing(groups)
    return {name: [value or _UNKNOWN for value in values] for name, values in found.items()}


def runs(groups: Sequence[Group]) -> tuple[list[str], list[list[str]]]:
    """Columns and one row a run."""
    columns = ["method", "environment", "seed", "episodes", "steps", "updates", "minutes"]
    columns += ["last evaluation", "best evaluation", "revision", "folder"]
    return columns, [_run_cells(group, run) for group in groups for run in group.runs]


def environment_words(environment: str) -> str:
    """`dm_control/cartpole_balance` as "cartpole balance (dm control)"."""
    where, _, task = environment.rpartition("/")
    return f"{words(task)} ({words(where)})" if where else words(task)


def count(number: int | str, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{number} {noun}" + ("" if str(number) == "1" else "s")


def mean_and_error(mean: float, error: float | None) -> str:
    """`972.1 ± 2.3`: as many digits as the error makes sense of."""
    if error is None:
        return f"{mean:.4g}"
    digits = 0 if error >= 10 else 1 if error >= 0.1 else 2
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


def _plain(value: Any) -> str:
    return _UNKNOWN if value is None else f"{value:,}".replace(",", " ")


def _evaluation(found: Mapping[str, Any] | None) -> str:
    return mean_and_error(found["mean"], found.get("standard_error")) if found else _UNKNOWN


def _cell(found: Result | None) -> str:
    return mean_and_error(found.mean, found.standard_error) if found else _UNKNOWN


def _data(cells: Mapping[str, Result]) -> str:
    """How much a method has collected, over its environments."""
    episodes = _span(round(found.collected) for found in cells.values())
    seeds = _span(found.seeds for found in cells.values())
    return f"{count(episodes, 'episode')}, {count(seeds, 'seed')}"


def _span(numbers: Any) -> str:
    ordered = sorted(set(numbers))
    return f"{ordered[0]}" if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"
