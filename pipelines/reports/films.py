"""The newest films of a run, and how a page shows them: enlarged, captioned, or linked."""

from __future__ import annotations

import io
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from pipelines.reports.data import Run, words

# What is larger, one by one or together, is linked instead of embedded.
MAX_BYTES = 1_500_000
MAX_TOTAL_BYTES = 12_000_000
_SUFFIXES = (".gif", ".png")
_ROWS = ("truth", "model", "error")
# Pixels of a page that a film's height should at least have, and that a film should not exceed.
_HEIGHT, _WIDTH = 220, 900


class Film(NamedTuple):
    """A picture or film of an evaluation.

    Attributes:
      path: of the file.
      caption: what it shows.
      width, height: on the page; a whole multiple of the file's own, so that pixels stay crisp.
      data: the file; None: too large, to be linked.
      columns, rows: names of its parts from left to right, from top to bottom.
    """

    path: pathlib.Path
    caption: str
    width: int
    height: int
    data: bytes | None
    columns: Sequence[str] = ()
    rows: Sequence[str] = ()


def newest(run: Run, room: int) -> list[Film]:
    """What the run's last filmed evaluation shows; at most `room` bytes of it with their data."""
    folder = run.path / "videos"
    found = folder.glob("*") if folder.is_dir() else ()
    paths = sorted(path for path in found if path.suffix in _SUFFIXES)
    last = paths[-1].name.partition("-")[0] if paths else ""
    films = []
    for path in (path for path in paths if path.name.startswith(f"{last}-")):
        film = _film(path, run, room)
        if film is not None:
            films.append(film)
            room -= len(film.data or b"")
    return films


def _film(path: pathlib.Path, run: Run, room: int) -> Film | None:
    """None where the file is no picture, such as one that is being written."""
    data = path.read_bytes()
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except (UnidentifiedImageError, OSError):
        return None
    label, _, name = path.stem.partition("-")
    caption = _caption(name, path.suffix, int(label) if label.isdigit() else None, run)
    parts = {}
    if name == "open-loop":
        parts = {"columns": _ROWS} if path.suffix == ".gif" else {"rows": _ROWS}
    scale = max(1, min(round(_HEIGHT / height), _WIDTH // width))
    kept = data if len(data) <= min(MAX_BYTES, room) else None
    return Film(path, caption, scale * width, scale * height, kept, **parts)


def _caption(name: str, suffix: str, episodes: int | None, run: Run) -> str:
    if re.fullmatch(r"episode-\d+", name):
        what = "an evaluation episode"
    elif name == "open-loop":
        red = "from the red line on" if suffix == ".png" else "framed in red"
        what = f"the model's prediction; {red} it sees no more frames, only the actions"
    else:
        what = words(name.replace("-", " "))
    when = "" if episodes is None else f"After {episodes} episodes, seed {run.seed}: "
    return f"{when}{what}"
