"""One HTML page that needs no other file: tables, curves to play with, films."""

from __future__ import annotations

import base64
import html
import itertools
import json
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from pipelines.reports import atari_scores, efficiency, films, published, tables
from pipelines.reports.data import AXES, Run, measured, words
from pipelines.reports.figures import AXIS_WORDS, COLORS
from pipelines.reports.films import Film
from pipelines.reports.groups import Curve, Group, curve

_MAX_POINTS = 300
_DIGITS = 5
# Pixels for the names of a strip's rows.
_ROW_NAMES = 56
# Settings that a reader takes in without having asked for them.
_MAX_OPEN = 12


def page(
    groups: Sequence[Group],
    copies: Sequence[tuple[Run, Run]],
    metric: str,
    axis: str,
    folder: pathlib.Path,
    reach: float | None = None,
) -> str:
    """The page; pictures and films are inside it, but for large ones.

    Args:
      groups: what it is about.
      copies: runs that stand for others, and these; said, not shown.
      metric, axis: what the curves show at first.
      folder: where the page will lie, for links.
      reach: return whose episodes are counted until it is reached; None: no such table.
    """
    environments = sorted({group.environment for group in groups})
    count = sum(len(group.runs) for group in groups)
    intro = f"{tables.count(count, 'run')} of {tables.count(len(groups), 'method')}"
    sections = [
        ("Returns", _returns(groups) + _goals(groups)),
        *_atari(groups),
        *(_efficiency(groups, reach) if reach is not None else ()),
        ("Learning curves", _curves(environments)),
        ("Films", _films(groups, folder)),
        ("What differs", _differences(groups, environments)),
        ("Runs", _copies(copies) + _table(*tables.runs(groups))),
    ]
    body = "".join(f"<section><h2>{title}</h2>{content}</section>" for title, content in sections)
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Lookahead: results</title><style>{_asset('page.css')}</style></head><body>"
        f"<header><div><h1>Results</h1><p>{intro}</p></div>"
        "<button id='theme' type='button' aria-label='Dark or light'>◐</button></header>"
        f"<main>{body}</main>"
        f"<script type='application/json' id='data'>{_json(chart_data(groups, metric, axis))}"
        f"</script><script>{_asset('page.js')}</script></body></html>\n"
    )


def chart_data(groups: Sequence[Group], metric: str, axis: str) -> dict[str, Any]:
    """What the page's script draws: for each environment every curve over every axis.

    Wall-clock is in minutes here.
    """
    environments = sorted({group.environment for group in groups})
    names = measured([run for group in groups for run in group.runs])
    return {
        "metric": metric,
        "axis": axis,
        "axes": {name: AXIS_WORDS[name] for name in AXES},
        "metrics": {name: words(name) for name in names},
        "environments": [_environment_data(groups, name, names) for name in environments],
    }


def _environment_data(
    groups: Sequence[Group], environment: str, names: Sequence[str]
) -> dict[str, Any]:
    theirs = [{"method": row.method, "value": value} for row, value in published.at(environment)]
    here = [group for group in groups if group.environment == environment]
    return {
        "title": tables.environment_words(environment),
        "published": theirs,
        "groups": [
            {"label": group.label, "color": color, "curves": _curve_data(group, names)}
            for group, color in zip(here, itertools.cycle(COLORS))
        ],
    }


def _curve_data(group: Group, names: Sequence[str]) -> dict[str, Any]:
    """By metric: `axes`, the mean and its band over each; `seeds`, what each has measured."""
    found = {}
    for name in names:
        curves = {axis: curve(group, name, axis) for axis in AXES}
        drawn = {axis: _mean_data(c, axis) for axis, c in curves.items() if c is not None}
        if drawn:
            seeds = [_seed_data(run, name) for run in group.runs if len(group.runs) > 1]
            found[name] = {"axes": drawn, "seeds": seeds}
    return found


def _mean_data(drawn: Curve, axis: str) -> dict[str, Any]:
    return {
        "x": _numbers(drawn.x, axis),
        "mean": _numbers(drawn.mean),
        "low": None if drawn.low is None else _numbers(drawn.low),
        "high": None if drawn.high is None else _numbers(drawn.high),
    }


def _seed_data(run: Run, name: str) -> dict[str, Any]:
    rows = [row for row in run.rows if name in row]
    if len(rows) > _MAX_POINTS:
        chosen = np.linspace(0, len(rows) - 1, _MAX_POINTS).round().astype(int)
        rows = [rows[i] for i in chosen]
    known = [axis for axis in AXES if all(axis in row for row in rows)]
    return {
        "seed": run.seed,
        "x": {axis: _numbers([row[axis] for row in rows], axis) for axis in known},
        "y": _numbers([row[name] for row in rows]),
    }


def _numbers(values: Iterable[float], axis: str = "") -> list[float]:
    unit = 60.0 if axis == "wall_clock" else 1.0
    return [float(f"{value / unit:.{_DIGITS}g}") for value in values]


def _returns(groups: Sequence[Group]) -> str:
    found = tables.returns(groups)
    bodies = "".join(
        f"<tbody><tr><th colspan='3'>{html.escape(here.environment)}</th></tr>"
        f"{''.join(map(_cells, here.measured))}</tbody><tbody class='published'>"
        f"{''.join(map(_cells, here.published))}</tbody>"
        for here in found
    )
    source = ""
    if any(here.published for here in found):
        source = f" In grey: published, not measured here ({html.escape(published.SOURCE)})."
    return (
        "<p>The last evaluation, mean ± standard error: between seeds where there are several, "
        f"else between episodes.{source}</p><div class='wide'><table><thead>"
        f"{_cells(['method', 'return', 'learned from'], 'th')}</thead>{bodies}</table></div>"
    )


def _goals(groups: Sequence[Group]) -> str:
    with_goal = [group for group in groups if tables.goal(group) is not None]
    return _table(*tables.goals(with_goal)) if with_goal else ""


def _atari(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """A section on human-normalised scores, where there are games that have them."""
    columns, measured, theirs = tables.atari_scores(groups)
    if not measured:
        return []
    text = (
        "<p>The last evaluations, 0 % random play and 100 % a human "
        f"({html.escape(atari_scores.SOURCE)}); in brackets the 95 % interval of a bootstrap over "
        "the seeds of each game, which is none where there is one. Few games say little of 57. In "
        f"grey: published, not measured here ({html.escape(published.ATARI_SOURCE)}).</p>"
    )
    body = f"<tbody>{''.join(map(_cells, measured))}</tbody>"
    body += f"<tbody class='published'>{''.join(map(_cells, theirs))}</tbody>"
    head = f"<thead>{_cells(columns, 'th')}</thead>"
    table = f"<div class='wide'><table>{head}{body}</table></div>"
    return [("Human-normalised Atari scores", text + table)]


def _efficiency(groups: Sequence[Group], reach: float) -> list[tuple[str, str]]:
    """A section on the episodes that methods need, the lecture's factors apart."""
    columns, rows = efficiency.table(groups, reach)
    if not rows:
        return []
    theirs = [
        f"{tables.environment_words(name)}: {text}"
        for name in sorted({group.environment for group in groups})
        if (text := efficiency.published_factors(name))
    ]
    text = "<p>Episodes collected until an evaluation was there; factor: to the fewest.</p>"
    if theirs:
        quoted = html.escape("; ".join(theirs))
        text += f"<p class='published'>Published, not measured here (the lecture): {quoted}.</p>"
    return [(f"Episodes to reach {reach:g}", text + _table(columns, rows))]


def _curves(environments: Sequence[str]) -> str:
    charts = "".join(
        f"<figure class='chart'><figcaption>{html.escape(tables.environment_words(name))}"
        "</figcaption><div class='legend'></div><div class='plot'></div></figure>"
        for name in environments
    )
    return (
        "<p>Thick: mean over seeds; thin: the seeds; band: the mean's 95 % bootstrap interval over "
        "seeds, which with two or three reaches from the least to the greatest. What was measured "
        "once is a point.</p><div class='controls'>"
        "<label>Show <select id='metric'></select></label>"
        "<label>over <select id='axis'></select></label>"
        "<label><input type='checkbox' id='log-x'> log x</label>"
        "<label><input type='checkbox' id='log-y'> log y</label>"
        "<label><input type='checkbox' id='seeds' checked> seeds</label></div>"
        f"{charts}<noscript>The curves are drawn by a script in this page.</noscript>"
    )


def _differences(groups: Sequence[Group], environments: Sequence[str]) -> str:
    """A table for each environment in which several methods stand."""
    found = ""
    for environment in environments:
        here = [group for group in groups if group.environment == environment]
        rows = [[name, *values] for name, values in tables.what_differs(here).items()]
        if rows:
            columns = ["setting", *(group.label for group in here)]
            title = html.escape(tables.environment_words(environment))
            summary = f"<summary>{title}, {tables.count(len(rows), 'setting')}</summary>"
            is_open = " open" if len(rows) <= _MAX_OPEN else ""
            found += f"<details{is_open}>{summary}{_table(columns, rows)}</details>"
    return found or "<p>Each environment has one configuration.</p>"


def _films(groups: Sequence[Group], folder: pathlib.Path) -> str:
    found, room = "", films.MAX_TOTAL_BYTES
    for group in groups:
        shown = films.newest(group.runs[0], room)
        room -= sum(len(film.data or b"") for film in shown)
        if shown:
            title = html.escape(f"{group.label}, {tables.environment_words(group.environment)}")
            inside = "".join(_film(film, folder) for film in shown)
            found += f"<h3>{title}</h3><div class='films'>{inside}</div>"
    return found or "<p>None.</p>"


def _film(film: Film, folder: pathlib.Path) -> str:
    caption = html.escape(film.caption)
    if film.data is None:
        link = html.escape(os.path.relpath(film.path, folder), quote=True)
        size = f"{film.path.stat().st_size / 1e6:.1f} MB, not in this page"
        return f"<figure><a href='{link}'>{caption}</a> ({size})</figure>"
    kind = film.path.suffix[1:]
    picture = (
        f"<img alt='{caption}' width='{film.width}' height='{film.height}' "
        f"src='data:image/{kind};base64,{base64.b64encode(film.data).decode()}'>"
    )
    names = [f"<span>{name}</span>" for name in (*film.rows, *film.columns)]
    if film.rows:
        picture = f"<div class='strip'><div class='rows'>{''.join(names)}</div>{picture}</div>"
    elif film.columns:
        picture += f"<div class='columns'>{''.join(names)}</div>"
    width = film.width + (_ROW_NAMES if film.rows else 0)
    return f"<figure style='width:{width}px'>{picture}<figcaption>{caption}</figcaption></figure>"


def _copies(copies: Sequence[tuple[Run, Run]]) -> str:
    """Says which runs were found twice."""
    lines = "".join(
        f"<li>{_folder(left_out)} is {_folder(kept)} again: seed {kept.seed}, the same "
        "configuration</li>"
        for kept, left_out in copies
    )
    return f"<p>Counted once, the one that came further:</p><ul>{lines}</ul>" if lines else ""


def _folder(run: Run) -> str:
    return html.escape("/".join(run.path.parts[-2:]))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    body = "".join(map(_cells, rows))
    return (
        f"<div class='wide'><table><thead>{_cells(columns, 'th')}</thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _cells(cells: Iterable[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _json(content: Mapping[str, Any]) -> str:
    """JSON that no tag can end: what it says is data, whoever named the runs."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return (resources.files("pipelines.reports") / name).read_text(encoding="utf-8")
