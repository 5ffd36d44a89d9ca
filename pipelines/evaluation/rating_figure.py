"""Ratings as a picture: strength over training, over simulations a move, or player by player."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.system import files

# What a player's name says of its simulations: simulations:N, policy:RUN@N; and of its training:
# at:EPISODES, at:EPISODES@N.
_SIMULATIONS = re.compile(r"^simulations:(?P<own>\d+)$|^(?P<run>policy:.*)@(?P<count>\d+)$")
_TRAINING = re.compile(r"^at:(?P<position>\d+)(?:@(?P<count>\d+))?$")
_SIZE, _DPI = (7.0, 4.5), 120
_SHADE = 0.15


def draw(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Writes a picture of ratings with their intervals.

    Players whose names say when in a run's training they were saved lie over that time, a curve for
    each number of simulations; else those whose names say their simulations over these, on a
    logarithmic axis. All others are lines from side to side. Players none of which says so stand
    one beside the other.

    Args:
      path: of the file; its ending says the format.
      rows: `player`, `elo`, `low`, `high`, see `ratings.Rating`.
      title: above it.

    Raises:
      UserError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.add_subplot()
    curves, others, in_training = grouped(rows)
    if curves:
        for name, points in curves.items():
            _errorbars(axes, [count for count, _ in points], [row for _, row in points], name)
        if not in_training:
            axes.set_xscale("log", base=2)
        axes.set_xlabel("episodes of training" if in_training else "simulations a move")
        for place, row in enumerate(others):
            colour = f"C{len(curves) + place}"
            axes.axhline(row["elo"], color=colour, linestyle="--", label=row["player"])
            axes.axhspan(row["low"], row["high"], color=colour, alpha=_SHADE)
        axes.legend(loc="lower right")
    else:
        _errorbars(axes, range(len(rows)), rows, None)
        axes.set_xticks(range(len(rows)), [row["player"] for row in rows], rotation=20, ha="right")
    axes.set_ylabel("Elo, 95 % interval")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    with files.writing(path):
        figure.savefig(path, dpi=_DPI)


Row = Mapping[str, Any]


def grouped(
    rows: Sequence[Row],
) -> tuple[dict[str, list[tuple[int, Row]]], list[Row], bool]:
    """Sorts players into curves.

    Returns:
      Each curve's (place, row), the least place first; the rows of all others; whether places are
      times of training, else they are simulations.
    """
    in_training = any(_TRAINING.match(row["player"]) for row in rows)
    curves: dict[str, list[tuple[int, Row]]] = {}
    others = []
    for row in rows:
        found = (_TRAINING if in_training else _SIMULATIONS).match(row["player"])
        if found is None:
            others.append(row)
        elif in_training:
            name = f"{found['count'] or 'its own'} simulations"
            curves.setdefault(name, []).append((int(found["position"]), row))
        else:
            name = found["run"] or "the run's policy"
            curves.setdefault(name, []).append((int(found["own"] or found["count"]), row))
    for points in curves.values():
        points.sort(key=lambda point: point[0])
    return curves, others, in_training


def _errorbars(axes: Any, places: Any, rows: Sequence[Mapping[str, Any]], name: Any) -> None:
    elo = [row["elo"] for row in rows]
    below = [row["elo"] - row["low"] for row in rows]
    above = [row["high"] - row["elo"] for row in rows]
    line = "none" if name is None else "-"  # Players side by side are no curve.
    axes.errorbar(places, elo, [below, above], marker="o", linestyle=line, capsize=3, label=name)
