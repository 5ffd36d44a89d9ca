"""What killed processes have left half written in a log directory, and how it is swept."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
import shutil

# The folders of a log directory in which files and folders are written under such names first.
_FOLDERS = (".", "policy", "world", "videos", "checkpoints")
_TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<pid>\d+)\.(?P<kind>tmp|old)")


def sweep(logdir: str | os.PathLike[str]) -> None:
    """Removes temporary files and folders that no living process owns; for the holder of the lock.

    A policy that was moved aside by a process that did not come to put the next in its place is put
    back. What cannot be removed stays.
    """
    for folder in (pathlib.Path(logdir, name) for name in _FOLDERS):
        for path in _entries(folder):
            found = _TEMPORARY.fullmatch(path.name)
            if found and not _is_owned(int(found["pid"])):
                if found["kind"] == "old":
                    _put_back(path, folder / found["name"])
                remove(path)


def remove(path: pathlib.Path) -> None:
    """Removes a file, or a folder with all that is in it, as far as the disk lets it."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _entries(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return list(folder.iterdir())
    except OSError:  # Not there, or not ours to look into.
        return []


def _put_back(path: pathlib.Path, place: pathlib.Path) -> None:
    if not place.exists():
        with contextlib.suppress(OSError):
            path.rename(place)


def _is_owned(pid: int) -> bool:
    """Whether another process of this number lives; ours has written nothing yet."""
    if pid in (0, os.getpid()):
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
