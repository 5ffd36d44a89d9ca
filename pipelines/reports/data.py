"""What runs left in their log directories, brought together: groups of seeds, curves, results."""

from __future__ import annotations

import csv
import json
import math
import pathlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.system.errors import UserError, nearest

AXES = ("step", "episodes", "updates", "wall_clock")
_GRID = 200


class Run(NamedTuple):
    """One log directory.

    Attributes:
      path: of the directory.
      summary: `summary.json`.
      config: `config.gin`.
      rows: `metrics.csv`, numbers by column; what was not measured in a row is missing.
    """

    path: pathlib.Path
    summary: dict[str, Any]
    config: str
    rows: list[dict[str, float]]


class Group(NamedTuple):
    """Runs that differ in their seeds alone.

    Attributes:
      label: of the method, unique within an environment.
      environment: its name.
      runs: by seed.
    """

    label: str
    environment: str
    runs: list[Run]


class Curve(NamedTuple):
    """Mean over seeds, and where it lies with 95 % confidence.

    Attributes:
      x, mean: [G].
      low, high: [G], or None for a single seed.
      seeds: runs behind it.
    """

    x: np.ndarray
    mean: np.ndarray
    low: np.ndarray | None
    high: np.ndarray | None
    seeds: int


class Result(NamedTuple):
    """The last evaluations of a group.

    Attributes:
      mean: over seeds.
      standard_error: between seeds, or between episodes for a single seed; None: unknown.
      seeds, episodes: behind it; `episodes` are those of all evaluations together.
      collected: episodes collected by a run, a mean over runs.
    """

    mean: float
    standard_error: float | None
    seeds: int
    episodes: int
    collected: float


def find_runs(paths: Sequence[str | pathlib.Path]) -> list[Run]:
    """Reads each log directory, or all of them below a directory.

    Raises:
      UserError: a directory holds none.
    """
    found: dict[pathlib.Path, Run] = {}
    for path in map(pathlib.Path, paths):
        summaries = sorted(path.rglob("summary.json")) if path.is_dir() else []
        if not summaries:
            raise UserError(f"no run in '{path}': no summary.json in it or below")
        for summary in summaries:
            found[summary.parent.resolve()] = _read_run(summary.parent)
    return list(found.values())


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Puts runs together whose agent, environment and configuration are the same."""
    groups: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs:
        key = (run.summary["environment"], run.summary["agent"], _without_comments(run.config))
        groups.setdefault(key, []).append(run)
    labels = _labels(groups)
    return [
        Group(labels[key], key[0], sorted(found, key=lambda run: run.summary["seed"]))
        for key, found in sorted(groups.items())
    ]


def curve(group: Group, metric: str, axis: str) -> Curve | None:
    """The group's learning curve; None where no run has measured `metric`.

    Seeds are interpolated onto one grid over the part of the axis that all of them reach; the band
    is Student's, mean ± t · s / √n.
    """
    series = [_series(run, metric, axis) for run in group.runs]
    series = [(x, y) for x, y in series if len(x)]
    if not series:
        return None
    first, last = max(x[0] for x, _ in series), min(x[-1] for x, _ in series)
    if len(series) == 1 or first > last:
        return Curve(*series[0], None, None, 1)
    grid = np.linspace(first, last, _GRID)
    values = np.stack([np.interp(grid, x, y) for x, y in series])  # [seeds, G]
    mean = values.mean(axis=0)
    half = student_half_width(values)
    return Curve(grid, mean, mean - half, mean + half, len(series))


def student_half_width(values: np.ndarray) -> np.ndarray:
    """Half of the 95 % interval of the mean of values [n, …], n > 1."""
    from scipy import stats

    count = len(values)
    quantile = stats.t.ppf(0.975, count - 1)
    return quantile * values.std(axis=0, ddof=1) / math.sqrt(count)


def result(group: Group) -> Result | None:
    """The group's last evaluations together; None when there was none."""
    found = [run.summary["evaluation"] for run in group.runs if run.summary.get("evaluation")]
    if not found:
        return None
    means = np.array([evaluation["mean"] for evaluation in found])
    error = found[0]["standard_error"]
    if len(means) > 1:
        error = float(means.std(ddof=1) / math.sqrt(len(means)))
    return Result(
        mean=float(means.mean()),
        standard_error=error,
        seeds=len(means),
        episodes=sum(evaluation["episodes"] for evaluation in found),
        collected=float(np.mean([run.summary["episodes"] for run in group.runs])),
    )


def check_metric(runs: Sequence[Run], metric: str) -> None:
    """Raises UserError, with the nearest name, where no run has measured `metric`."""
    names = sorted({name for run in runs for row in run.rows for name in row} - set(AXES))
    if metric not in names:
        raise UserError(f"no run has measured '{metric}'{nearest(metric, names)}")


def _read_run(path: pathlib.Path) -> Run:
    try:
        summary = json.loads((path / "summary.json").read_text())
        missing = [n for n in ("agent", "environment", "seed", "episodes") if n not in summary]
        if missing:
            raise ValueError(f"summary.json has no '{missing[0]}'")
        config, metrics = path / "config.gin", path / "metrics.csv"
        rows = _read_rows(metrics) if metrics.is_file() else []
        return Run(path, summary, config.read_text() if config.is_file() else "", rows)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the run in '{path}': {error}") from error


def _read_rows(path: pathlib.Path) -> list[dict[str, float]]:
    with open(path, newline="") as file:
        return [
            {name: float(value) for name, value in row.items() if name and value}
            for row in csv.DictReader(file)
        ]


def _series(run: Run, metric: str, axis: str) -> tuple[np.ndarray, np.ndarray]:
    """Where `metric` was measured; the last value where several are at one place."""
    points = {row[axis]: row[metric] for row in run.rows if metric in row and axis in row}
    points = {x: y for x, y in points.items() if math.isfinite(y)}
    order = sorted(points)
    return np.array(order), np.array([points[x] for x in order])


def _without_comments(config: str) -> str:
    lines = (line.strip() for line in config.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def _labels(groups: dict[tuple[str, str, str], list[Run]]) -> dict[tuple[str, str, str], str]:
    """The agent's name, with the folders' where several configurations of one agent stand."""
    labels = {}
    for key, runs in groups.items():
        rivals = [other for other in groups if other[:2] == key[:2]]
        name = re.sub(r"[-_.]?(seed)?[-_]?\d+$", "", runs[0].path.name) or runs[0].path.name
        labels[key] = key[1] if len(rivals) == 1 else f"{key[1]} ({name})"
    taken: dict[tuple[str, str], int] = {}
    for key in sorted(groups):
        place = (key[0], labels[key])
        taken[place] = taken.get(place, 0) + 1
        if taken[place] > 1:
            labels[key] += f" #{taken[place]}"
    return labels
