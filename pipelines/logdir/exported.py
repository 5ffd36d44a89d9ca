"""Of which weights a SavedModel of a run is, so that one that was not made is made later."""

from __future__ import annotations

import os
import pathlib

from pipelines.system import files

# Where SavedModels have files that TensorFlow does not read.
_UPDATES = "assets.extra/updates"


def kept_at(position: int) -> str:
    """The name of the policy that an evaluation after so many episodes, or steps, has kept."""
    return f"at_{position:06d}"


def kept_positions(logdir: str | os.PathLike[str]) -> list[int]:
    """When policies were kept, the first one first."""
    names = [path.name for path in pathlib.Path(logdir, "policy").glob("at_*")]
    return sorted(int(name[3:]) for name in names if name[3:].isdigit())


def updates_of(directory: pathlib.Path) -> int | None:
    """After how many updates it was saved, as `note_updates` has said; None: nobody knows."""
    try:
        return int((directory / _UPDATES).read_text())
    except (OSError, ValueError):
        return None


def note_updates(directory: pathlib.Path, updates: int) -> None:
    """Notes in a SavedModel, once all of it is written, after how many updates it was saved.

    Raises:
      UserError: the disk does not take it.
    """
    path = directory / _UPDATES
    with files.writing(path):
        path.parent.mkdir(exist_ok=True)
        files.atomic_write(path, f"{updates}\n")
