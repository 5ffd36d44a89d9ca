"""Draws what `report_data` brought together: curves, the table, one page that holds them all."""

from __future__ import annotations

import base64
import html
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.reports import data as report_data
from pipelines.reports import published
from pipelines.reports.data import Group, Result

_SUITE = "dm_control/"
_AXIS_NAMES = {
    "step": "environment steps",
    "episodes": "episodes",
    "updates": "updates",
    "wall_clock": "minutes of wall-clock",
}
_MAX_VIDEO_BYTES = 6_000_000
_GRAY = "#777777"

_STYLE = """
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 62em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
th, td { padding: .3em .7em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left }
tbody.published { color: #777; font-style: italic; background: #f6f6f6 }
tbody th { text-align: left; font-style: normal; padding-top: 1em }
figure { display: inline-block; margin: .5em; vertical-align: top } img { max-width: 100% }
figcaption { font-size: 85%; color: #555 }
"""


def draw_curves(groups: Sequence[Group], environment: str, metric: str, axis: str) -> bytes | None:
    """One environment's learning curves as PNG; None where nothing was measured."""
    figure, axes = _figure(7.0, 4.2)
    drawn = 0
    for group in (group for group in groups if group.environment == environment):
        found = report_data.curve(group, metric, axis)
        if found is None:
            continue
        x = found.x / 60.0 if axis == "wall_clock" else found.x
        seeds = "one seed" if found.seeds == 1 else f"{found.seeds} seeds"
        label = f"{group.label}, {seeds}"
        if len(x) == 1:  # Played once and learned nothing: a level, not a point.
            axes.axhline(found.mean[0], color=f"C{drawn}", ls="--", label=label)
            drawn += 1
            continue
        (line,) = axes.plot(x, found.mean, color=f"C{drawn}", label=label)
        if found.low is not None:
            axes.fill_between(x, found.low, found.high, color=line.get_color(), alpha=0.2, lw=0)
        drawn += 1
    if not drawn:
        return None
    for row in _published_at(environment) if metric.endswith("return") else ():
        axes.axhline(row[1], color=_GRAY, lw=0.8, ls=":")
        axes.annotate(
            f"{row[0]}, published",
            (1, row[1]),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            fontsize=7,
            color=_GRAY,
            style="italic",
        )
    axes.set(xlabel=_AXIS_NAMES[axis], ylabel=metric, title=environment)
    axes.legend(fontsize=8, loc="lower right")
    return _png(figure)


def draw_table(columns: Sequence[str], rows: Sequence[tuple[str, str, dict[str, Result]]]) -> bytes:
    """The table as PNG: measured rows, a gap, published ones in grey."""
    header = ["method", "data", *columns]
    measured = [[m, d, *(_cell(r.get(c)) for c in columns)] for m, d, r in rows]
    theirs = [
        [row.method, row.data, *(_published_cell(row, c) for c in columns)]
        for row in published.ROWS
    ]
    heading = ["published:", *[""] * (len(header) - 1)]
    cells = [header, *measured, heading, *theirs]
    figure, axes = _figure(2.6 + 1.5 * len(header), 0.4 * len(cells) + 0.4)
    axes.axis("off")
    table = axes.table(cells, loc="center", cellLoc="right")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.auto_set_column_width(range(len(header)))
    for (row, _), cell in table.get_celld().items():
        cell.set(edgecolor="#dddddd", height=0.9 / len(cells))
        if row == 0:
            cell.get_text().set_weight("bold")
        elif row > len(measured):
            cell.set_facecolor("#f3f3f3")
            cell.get_text().set(color=_GRAY, style="italic")
    return _png(figure)


def table_rows(groups: Sequence[Group]) -> tuple[list[str], list[tuple[str, str, dict]]]:
    """Columns (tasks) and measured rows: method, data, `Result` by column."""
    columns, rows = list(published.TASKS), {}
    for group in groups:
        found = report_data.result(group)
        if found is None:
            continue
        task = group.environment.removeprefix(_SUITE)
        if task not in columns:
            columns.append(task)
        rows.setdefault(group.label, {})[task] = found
    return columns, [(label, _data(cells), cells) for label, cells in rows.items()]


def page(
    groups: Sequence[Group],
    curves: Mapping[str, bytes],
    columns: Sequence[str],
    rows: Sequence[tuple[str, str, dict[str, Result]]],
) -> str:
    """The page as HTML; pictures and videos are inside it."""
    pictures = "".join(
        f"<figure><img alt='learning curves of {html.escape(name)}' src='{_inline(data, 'png')}'>"
        "</figure>"
        for name, data in curves.items()
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Lookahead: results"
        f"</title><style>{_STYLE}</style></head><body><h1>Results</h1>"
        f"<h2>Returns</h2>{_html_table(columns, rows)}"
        f"<h2>Learning curves</h2><p>Mean over seeds; the band is the mean's 95 % confidence "
        f"interval.</p>{pictures}<h2>Videos</h2>{_videos(groups)}<h2>Runs</h2>{_runs(groups)}"
        "</body></html>\n"
    )


def _html_table(columns, rows) -> str:
    header = "".join(f"<th>{html.escape(name)}</th>" for name in ("method", "data", *columns))
    width = len(columns) + 2
    ours = "".join(
        _html_row([method, data, *(_cell(cells.get(c)) for c in columns)])
        for method, data, cells in rows
    )
    theirs = "".join(
        _html_row([row.method, row.data, *(_published_cell(row, c) for c in columns)])
        for row in published.ROWS
    )
    return (
        f"<table><thead><tr>{header}</tr></thead>"
        f"<tbody><tr><th colspan={width}>Measured here: mean ± standard error</th></tr>{ours}"
        f"</tbody><tbody class=published><tr><th colspan={width}>Published, not measured here "
        f"({html.escape(published.SOURCE)})</th></tr>{theirs}</tbody></table>"
    )


def _html_row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def _videos(groups: Sequence[Group]) -> str:
    """The newest films of each group's first seed."""
    figures = []
    for group in groups:
        folder = group.runs[0].path / "videos"
        names = sorted(path.name for path in folder.glob("*")) if folder.is_dir() else []
        newest = names[-1].split("-")[0] if names else ""
        for name in (name for name in names if name.startswith(f"{newest}-")):
            path = folder / name
            if path.suffix not in (".gif", ".png") or path.stat().st_size > _MAX_VIDEO_BYTES:
                continue
            caption = html.escape(f"{group.label}, {group.environment}: {name}")
            source = _inline(path.read_bytes(), path.suffix[1:])
            figures.append(
                f"<figure><img alt='{caption}' src='{source}'><figcaption>{caption}</figcaption>"
                "</figure>"
            )
    return "".join(figures) or "<p>None.</p>"


def _runs(groups: Sequence[Group]) -> str:
    columns = ("seed", "episodes", "steps", "updates", "wall_clock_seconds", "git_revision")
    header = "".join(f"<th>{name}</th>" for name in ("method", "environment", *columns))
    lines = [
        _html_row([group.label, group.environment, *(_plain(run.summary.get(c)) for c in columns)])
        for group in groups
        for run in group.runs
    ]
    return f"<table><thead><tr>{header}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.0f}"
    return "–" if value is None else str(value)[:20]


def _cell(found: Result | None) -> str:
    if found is None:
        return "–"
    if found.standard_error is None:
        return f"{found.mean:.0f}"
    digits = 0 if found.standard_error >= 1 else 1
    return f"{found.mean:.{digits}f} ± {found.standard_error:.{digits}f}"


def _published_cell(row: published.Row, task: str) -> str:
    if task not in published.TASKS:
        return "–"
    return f"{row.returns[published.TASKS.index(task)]:.0f}"


def _published_at(environment: str) -> list[tuple[str, float]]:
    task = environment.removeprefix(_SUITE)
    if not environment.startswith(_SUITE) or task not in published.TASKS:
        return []
    index = published.TASKS.index(task)
    return [(row.method, row.returns[index]) for row in published.ROWS]


def _data(cells: Mapping[str, Result]) -> str:
    """How much a method has collected, over its tasks."""
    counts = sorted({round(found.collected) for found in cells.values()})
    seeds = sorted({found.seeds for found in cells.values()})
    spread = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    many = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    plural = lambda count, noun: f"{count} {noun}" + ("" if count == "1" else "s")  # noqa: E731
    return f"{plural(spread, 'episode')}, {plural(many, 'seed')}"


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


def _inline(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def file_name(environment: str) -> str:
    """The name of the environment's picture."""
    return f"curves-{environment.replace('/', '-')}.png"


def write(directory: pathlib.Path, contents: Mapping[str, bytes | str]) -> None:
    """Writes files by name; each appears whole.

    Raises:
      UserError: the disk does not take them.
    """
    from pipelines.system import files

    with files.writing(directory):
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            files.atomic_write(directory / name, content)
