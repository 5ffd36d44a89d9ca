"""Pictures of what `groups` brought together, for READMEs and papers: curves, and the table."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.reports import published, tables
from pipelines.reports.data import words
from pipelines.reports.groups import Curve, Group, curve, series

AXIS_WORDS = {
    "step": "environment steps",
    "episodes": "episodes",
    "updates": "updates",
    "wall_clock": "minutes of wall-clock",
}
# Told apart by those who see fewer colours too (after Okabe and Ito, 2008).
COLORS = ("#1f82c0", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#e69f00", "#666666")
_GRAY = "#777777"
_FEW = 30  # So many points of a curve are marked.


def draw_curves(
    groups: Sequence[Group],
    environment: str,
    metric: str,
    axis: str,
    log_axis: bool = False,
    reach: float | None = None,
) -> bytes | None:
    """One environment's learning curves as PNG; None where nothing was measured.

    A thick line is the mean over seeds, thin ones are the seeds, and the band is the mean's 95 %
    bootstrap interval. What was measured once is a point. `log_axis` draws by factors, `reach` a
    line at that return.
    """
    theirs = published.at(environment) if metric.endswith("return") else []
    figure, axes = _figure(7.4 if theirs else 6.4, 4.0)
    found = [(group, curve(group, metric, axis)) for group in groups]
    found = [(g, c) for g, c in found if c is not None and g.environment == environment]
    if not found:
        return None
    unit = 60.0 if axis == "wall_clock" else 1.0
    for i, (group, drawn) in enumerate(found):
        color = COLORS[i % len(COLORS)]
        _draw_seeds(axes, group, metric, axis, unit, color)
        label = f"{group.label}, {tables.count(drawn.seeds, 'seed')}"
        _draw_mean(axes, drawn, unit, color, label)
    if all(len(drawn.x) == 1 for _, drawn in found):
        axes.set_xlim(0, 2 * max(drawn.x[0] for _, drawn in found) / unit or 1)
    if log_axis:
        axes.set_xscale("log")
    if reach is not None and metric.endswith("return"):
        axes.axhline(reach, color="black", lw=0.8, ls="--")
    title = tables.environment_words(environment)
    axes.set(xlabel=AXIS_WORDS[axis], ylabel=words(metric), title=title)
    axes.spines[["top", "right"]].set_visible(False)
    _draw_published(axes, theirs)
    axes.legend(fontsize=8, loc="best", frameon=False)
    return _png(figure)


def draw_table(groups: Sequence[Group]) -> bytes:
    """The table as PNG: by environment measured rows, and published ones in grey."""
    cells, gray, bold = [["", "return", "learned from"]], set(), {0}
    for found in tables.returns(groups):
        bold.add(len(cells))
        cells.append([found.environment, "", ""])
        cells += map(list, found.measured)
        gray |= set(range(len(cells), len(cells) + len(found.published)))
        cells += [[f"{row.method}, published", row.earned, row.data] for row in found.published]
    figure, axes = _figure(7.0, 0.25 * len(cells) + 0.3)
    axes.axis("off")
    drawn = axes.table(cells, loc="center", cellLoc="right", colWidths=(0.42, 0.22, 0.36))
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8)
    for (row, column), cell in drawn.get_celld().items():
        cell.set(edgecolor="#dddddd", height=0.98 / len(cells))
        cell.visible_edges = "B"
        if column == 0:
            cell.get_text().set_horizontalalignment("left")
            cell.PAD = 0.02
        if row in bold:
            cell.get_text().set_weight("bold")
        if row in gray:
            cell.get_text().set(color=_GRAY, style="italic")
    return _png(figure)


def apart(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places moved as little as it takes to be `gap` apart, between low and high if there is room.

    Args:
      places: in any order.
      gap: between neighbours.
      low, high: where the first and the last may be.
    """
    order = np.argsort(places, kind="stable")
    moved = [max(low, float(places[i])) for i in order]
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + gap)
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], high - (len(moved) - 1 - i) * gap)
    found = [0.0] * len(moved)
    for i, place in zip(order, moved, strict=True):
        found[i] = place
    return found


def _draw_seeds(axes: Any, group: Group, metric: str, axis: str, unit: float, color: str) -> None:
    for run in group.runs if len(group.runs) > 1 else ():
        x, y = series(run, metric, axis)
        if len(x) > 1:
            axes.plot(x / unit, y, color=color, lw=0.7, alpha=0.45)


def _draw_mean(axes: Any, drawn: Curve, unit: float, color: str, label: str) -> None:
    x = drawn.x / unit
    if len(x) == 1:
        error = None
        if drawn.low is not None:
            error = np.stack([drawn.mean - drawn.low, drawn.high - drawn.mean])
        axes.errorbar(x, drawn.mean, error, fmt="o", color=color, capsize=4, label=label)
        return
    marker = "o" if len(x) <= _FEW else None
    axes.plot(x, drawn.mean, color=color, lw=1.8, marker=marker, ms=3.5, label=label)
    if drawn.low is not None:
        axes.fill_between(x, drawn.low, drawn.high, color=color, alpha=0.15, lw=0)


def _draw_published(axes: Any, theirs: Sequence[tuple[published.Row, float]]) -> None:
    """Dotted lines, named at the right of the axes, the names apart from each other."""
    for _, value in theirs:
        axes.axhline(value, color=_GRAY, lw=0.8, ls=":")
    low, high = axes.get_ylim()
    places = apart([value for _, value in theirs], 0.055 * (high - low), low, high)
    for (row, value), place in zip(theirs, places, strict=True):
        axes.annotate(
            f"{row.method} {value:g}, published",
            xy=(1.0, value),
            xytext=(1.03, place),
            xycoords=axes.get_yaxis_transform(),
            textcoords=axes.get_yaxis_transform(),
            va="center",
            fontsize=7,
            color=_GRAY,
            annotation_clip=False,
            arrowprops={
                **{"arrowstyle": "-", "color": _GRAY, "lw": 0.5},
                **{"relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 0},
            },
        )


def _figure(width: float, height: float) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots()


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
