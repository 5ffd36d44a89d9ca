"""Keeps of a run what draws its figures anew: small, whole, beside the claim that it supports."""

from __future__ import annotations

import csv
import gzip
import io
import pathlib
from collections.abc import Sequence

from pipelines.reports import films
from pipelines.reports.data import AXES, Run
from pipelines.system import files
from pipelines.system.errors import UserError

_MAX_ROWS = 400
MAX_FILM_BYTES = 320_000


def keep(runs: Sequence[Run], folder: str | pathlib.Path) -> None:
    """Writes FOLDER/SEED of each run: summary.json, config.gin, metrics.csv.gz, videos/.

    Of the metrics all rows with an evaluation are kept, of the others so many that they are 400 in
    all, evenly; of the films the newest, as far as they are small.

    Raises:
      UserError: two runs have one seed, another run is kept there, or the disk takes nothing.
    """
    folder = pathlib.Path(folder)
    seeds = [run.seed for run in runs]
    for run in runs:
        if seeds.count(run.seed) > 1:
            raise UserError(f"several runs of seed {run.seed}; keep each method in its own folder")
        _check_place(run, folder / str(run.seed))
    for run in runs:
        with files.writing(folder):
            _keep(run, folder / str(run.seed))


def _check_place(run: Run, place: pathlib.Path) -> None:
    config = place / "config.gin"
    if config.is_file() and config.read_text() != run.config:
        raise UserError(f"'{place}' keeps a run of another configuration; choose another --keep")


def _keep(run: Run, place: pathlib.Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    files.atomic_write(place / "summary.json", (run.path / "summary.json").read_bytes())
    files.atomic_write(place / "config.gin", run.config)
    # Without the time, so that equal runs are equal files.
    files.atomic_write(place / "metrics.csv.gz", gzip.compress(_csv(run).encode(), mtime=0))
    for film in films.newest(run, films.MAX_TOTAL_BYTES):
        if film.data is not None and len(film.data) <= MAX_FILM_BYTES:
            (place / "videos").mkdir(exist_ok=True)
            files.atomic_write(place / "videos" / film.path.name, film.data)


def _csv(run: Run) -> str:
    rows = thinned(run.rows)
    columns = list(dict.fromkeys([*AXES, *(name for row in rows for name in row)]))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(
        [f"{row[name]:.8g}" if name in row else "" for name in columns] for row in rows
    )
    return buffer.getvalue()


def thinned(rows: Sequence[dict[str, float]], most: int = _MAX_ROWS) -> list[dict[str, float]]:
    """All rows with an evaluation, and of the others so many, evenly, that they are `most`."""
    judged = {i for i, row in enumerate(rows) if "evaluation/return" in row}
    others = [i for i in range(len(rows)) if i not in judged]
    room = max(0, most - len(judged))
    if len(others) > room:
        others = [others[i * len(others) // room] for i in range(room)]
    return [rows[i] for i in sorted({*judged, *others})]
