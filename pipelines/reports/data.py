"""What runs left behind, read: from log directories, and from what `results/` keeps of them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipelines.system.errors import UserError, nearest

AXES = ("step", "episodes", "updates", "wall_clock")
# A run writes the first, `keep` the second.
_METRICS = ("metrics.csv", "metrics.csv.gz")


class Run(NamedTuple):
    """One run.

    Attributes:
      path: of its directory.
      summary: `summary.json`.
      config: `config.gin`.
      rows: `metrics.csv`, numbers by column; what was not measured in a row is missing.
    """

    path: pathlib.Path
    summary: dict[str, Any]
    config: str
    rows: list[dict[str, float]]

    @property
    def seed(self) -> int:
        """The run's."""
        return self.summary["seed"]


def find_runs(paths: Sequence[str | pathlib.Path]) -> list[Run]:
    """Reads each directory of a run, or all of them below a directory.

    Raises:
      UserError: a directory holds none, or one that cannot be read.
    """
    found: dict[pathlib.Path, Run] = {}
    for path in map(pathlib.Path, paths):
        summaries = sorted(path.rglob("summary.json")) if path.is_dir() else []
        if not summaries:
            raise UserError(f"no run in '{path}': no summary.json in it or below")
        for summary in summaries:
            found[summary.parent.resolve()] = _read_run(summary.parent)
    return list(found.values())


def measured(runs: Sequence[Run]) -> list[str]:
    """Names of what the runs have measured, in the order of the alphabet."""
    return sorted({name for run in runs for row in run.rows for name in row} - set(AXES))


def check_metric(runs: Sequence[Run], metric: str) -> None:
    """Raises UserError, with the nearest name, where no run has measured `metric`."""
    names = measured(runs)
    if metric not in names:
        raise UserError(f"no run has measured '{metric}'{nearest(metric, names)}")


def words(name: str) -> str:
    """A name as people write it: `evaluation/return` is "evaluation return"."""
    return name.replace("/", " ").replace("_", " ").strip()


def _read_run(path: pathlib.Path) -> Run:
    try:
        summary = json.loads((path / "summary.json").read_text())
        _check_summary(summary)
        config = path / "config.gin"
        text = config.read_text() if config.is_file() else ""
        return Run(path, summary, text, _read_rows(path))
    except (OSError, ValueError, csv.Error, EOFError, RecursionError) as error:
        raise UserError(f"cannot read the run in '{path}': {error}") from error


def _check_summary(summary: Any) -> None:
    """Raises ValueError where a report would stumble later."""
    kinds = {"agent": str, "environment": str, "seed": int, "episodes": int}
    if not isinstance(summary, dict):
        raise ValueError("summary.json is no object")
    for name, kind in kinds.items():
        if not isinstance(summary.get(name), kind):
            raise ValueError(f"summary.json has no '{name}' that is a {kind.__name__}")
    for name in ("evaluation", "best_evaluation"):
        if (found := summary.get(name)) is not None:
            _check_evaluation(name, found)


def _check_evaluation(name: str, found: Any) -> None:
    if not isinstance(found, dict):
        raise ValueError(f"summary.json's '{name}' is no object")
    for part in ("mean", "episodes"):
        if not isinstance(found.get(part), int | float):
            raise ValueError(f"summary.json's '{name}' has no number '{part}'")


def _read_rows(folder: pathlib.Path) -> list[dict[str, float]]:
    path = next((folder / name for name in _METRICS if (folder / name).is_file()), None)
    if path is None:
        return []
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [_read_row(row) for row in csv.DictReader(io.StringIO(text, newline=""))]


def _read_row(row: dict[str, str]) -> dict[str, float]:
    numbers = {name: float(value) for name, value in row.items() if name and value}
    return {name: number for name, number in numbers.items() if math.isfinite(number)}
