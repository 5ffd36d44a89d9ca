"""Runs that differ in their seeds alone, brought together: methods, curves, results."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipelines.reports.configurations import differences, settings
from pipelines.reports.data import Run, words
from pipelines.reports.defaults import without_defaults

_GRID = 200
_RESAMPLES = 2000


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
      x, mean: [G]; G is 0 where the seeds have no part of the axis in common.
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


def without_copies(runs: Sequence[Run]) -> tuple[list[Run], list[tuple[Run, Run]]]:
    """Runs of one agent, environment, configuration and seed are one run, wherever they lie.

    Returns:
      The runs, of copies the one that came furthest; and each copy left out, behind the run that
      stands for it.
    """
    kept: dict[tuple[object, ...], Run] = {}
    copies = []
    # The furthest first; of equals the one named first.
    pairs = zip(runs, _methods(runs), strict=True)
    for run, method in sorted(pairs, key=lambda pair: -pair[0].summary["episodes"]):
        key = (*method, run.seed)
        if key in kept:
            copies.append((kept[key], run))
        else:
            kept[key] = run
    return [run for run in runs if any(run is other for other in kept.values())], copies


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Puts runs together whose agent, environment and configuration are the same."""
    found: dict[tuple[object, ...], list[Run]] = {}
    for run, method in zip(runs, _methods(runs), strict=True):
        found.setdefault(method, []).append(run)
    methods = [sorted(together, key=lambda run: run.seed) for together in found.values()]
    labels = _labels(methods)
    groups = [
        Group(label, together[0].summary["environment"], together)
        for label, together in zip(labels, methods, strict=True)
    ]
    return sorted(groups, key=lambda group: (group.environment, group.label))


def series(run: Run, metric: str, axis: str) -> tuple[np.ndarray, np.ndarray]:
    """Where `metric` was measured, and what; the last value where several are at one place."""
    points = {row[axis]: row[metric] for row in run.rows if metric in row and axis in row}
    order = sorted(points)
    return np.array(order), np.array([points[x] for x in order])


def curve(group: Group, metric: str, axis: str) -> Curve | None:
    """The group's learning curve; None where no run has measured `metric`.

    Seeds are interpolated over the part of the axis that all of them reach.
    """
    found = [series(run, metric, axis) for run in group.runs]
    found = [(x, y) for x, y in found if len(x)]
    if not found:
        return None
    if len(found) == 1:
        return Curve(*found[0], None, None, 1)
    grid = _common_grid([x for x, _ in found])
    values = np.stack([np.interp(grid, x, y) for x, y in found])  # [seeds, G]
    low, high = bootstrap_interval(values)
    return Curve(grid, values.mean(axis=0), low, high, len(found))


def bootstrap_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % percentile interval of the mean of values [n, …], n > 1.

    Of all resamples where they are few, else of a sample of them that is always the same. With two
    or three values it reaches from the least to the greatest.
    """
    count = len(values)
    if count**count <= _RESAMPLES:
        rows = np.array(list(itertools.product(range(count), repeat=count)))
    else:
        rows = np.random.RandomState(0).randint(count, size=(_RESAMPLES, count))
    weights = np.stack([np.bincount(row, minlength=count) for row in rows]) / count
    means = np.tensordot(weights, values, axes=1)  # [resamples, …]
    low, high = np.quantile(means, (0.025, 0.975), axis=0, method="inverted_cdf")
    return low, high


def result(group: Group) -> Result | None:
    """The group's last evaluations together; None when there was none."""
    found = [run.summary["evaluation"] for run in group.runs if run.summary.get("evaluation")]
    if not found:
        return None
    means = np.array([evaluation["mean"] for evaluation in found])
    error = found[0].get("standard_error")
    if len(means) > 1:
        error = float(means.std(ddof=1) / math.sqrt(len(means)))
    return Result(
        mean=float(means.mean()),
        standard_error=error,
        seeds=len(means),
        episodes=sum(evaluation["episodes"] for evaluation in found),
        collected=float(np.mean([run.summary["episodes"] for run in group.runs])),
    )


def differing(groups: Sequence[Group]) -> dict[str, list[str | None]]:
    """The settings in which groups differ, with each group's value; see `differences`."""
    return differences([settings(group.runs[0].config) for group in groups])


def _methods(runs: Sequence[Run]) -> list[tuple[object, ...]]:
    """What runs of one method have in common, of each run.

    A setting that came with a later revision stands in newer runs alone: where it says what holds
    without it, it makes no other method. A configuration that includes a file is not all there is.
    """
    subjects = [(run.summary["environment"], run.summary["agent"]) for run in runs]
    configs = [settings(run.config) for run in runs]
    for config in configs:
        config.pop("Experiment.goal", None)  # What is hoped for changes nothing.
    whole: dict[tuple[str, str], list[dict[str, str]]] = {subject: [] for subject in subjects}
    for subject, config in zip(subjects, configs, strict=True):
        if "include" not in config:
            whole[subject].append(config)
    methods = []
    for run, subject, config in zip(runs, subjects, configs, strict=True):
        peers = whole[subject] if "include" not in config else []
        partly = [name for name in config if any(name not in peer for peer in peers)]
        known = without_defaults(config, run.config, partly)
        methods.append((*subject, frozenset(known.items())))
    return methods


def _common_grid(places: Sequence[np.ndarray]) -> np.ndarray:
    """Where curves are compared: where something was measured, or evenly if that is too often."""
    first, last = max(x[0] for x in places), min(x[-1] for x in places)
    grid = np.unique(np.concatenate([[first, last], *places]))
    grid = grid[(grid >= first) & (grid <= last)]
    return grid if len(grid) <= _GRID else np.linspace(first, last, _GRID)


def _labels(methods: Sequence[Sequence[Run]]) -> list[str]:
    """The agent's name, with the folders' where several configurations of one agent stand."""
    places = [(runs[0].summary["environment"], runs[0].summary["agent"]) for runs in methods]
    labels, taken = [], {}
    for runs, place in zip(methods, places, strict=True):
        label = words(place[1])
        name = _folder_words(runs[0]).removeprefix(label).strip()
        if places.count(place) > 1 and name:
            label = f"{label} ({name})"
        key = (place[0], label)
        taken[key] = taken.get(key, 0) + 1
        labels.append(label if taken[key] == 1 else f"{label} #{taken[key]}")
    return labels


def _folder_words(run: Run) -> str:
    """The nearest folder's name that says more than the seed; empty if none does."""
    folders = [part for part in run.path.resolve().parts if part != "/"]
    for folder in reversed(folders):
        name = re.sub(r"(^|[-_.])(seed)?[-_.=]?\d*$", "", folder)
        if name not in ("", "seed", "run", "runs", "results"):
            return words(name)
    return ""
