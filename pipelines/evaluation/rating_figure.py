"""Ratings as a picture: strength over simulations a move, or over the players one after another."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.system import files

# What a player's name says of its simulations: simulations:N, policy:RUN@N.
_SIMULATIONS = re.compile(r"^simulations:(\d+)$|^policy:.*@(\d+)$")
_SIZE, _DPI = (7.0, 4.5), 120
_SHADE = 0.15


def draw(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]], title: str) -> None:
    """Writes a picture of ratings with their intervals.

    Players whose names say their simulations lie over these, on a logarithmic axis; all others are
    lines from side to side. Players none of which says so stand one beside the other.

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
    runs, others = grouped(rows)
    if runs:
        for name, points in runs.items():
            _errorbars(axes, [count for count, _ in points], [row for _, row in points], name)
        axes.set_xscale("log", base=2)
        axes.set_xlabel("simulations a move")
        for place, row in enumerate(others):
            colour = f"C{len(runs) + place}"
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


def grouped(
    rows: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, list[tuple[int, Mapping[str, Any]]]], list[Mapping[str, Any]]]:
    """Returns each policy's (simulations, row), fewest first, and the rows of all others."""
    runs: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    others = []
    for row in rows:
        if found := _SIMULATIONS.match(row["player"]):
            name = row["player"].rpartition("@")[0] or "the run's policy"
            runs.setdefault(name, []).append((int(found[1] or found[2]), row))
        else:
            others.append(row)
    return {name: sorted(points, key=lambda p: p[0]) for name, points in runs.items()}, others


def _errorbars(axes: Any, places: Any, rows: Sequence[Mapping[str, Any]], name: Any) -> None:
    elo = [row["elo"] for row in rows]
    below = [row["elo"] - row["low"] for row in rows]
    above = [row["high"] - row["elo"] for row in rows]
    axes.errorbar(places, elo, [below, above], marker="o", capsize=3, label=name)
