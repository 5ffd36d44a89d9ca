"""A run's log directory: held by one process at a time, and by no run but its own."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.system import files
from pipelines.system.errors import UserError

_LOCK = ".lock"


@contextlib.contextmanager
def claim(logdir: str | os.PathLike[str], identity: Mapping[str, Any]) -> Iterator[pathlib.Path]:
    """Makes the directory where it is missing and holds it until the context is left.

    Args:
      logdir: the directory.
      identity: what makes the run itself: agent, environment, seed.

    Raises:
      UserError: it is another run's, another process holds it, or it cannot be written. It is then
        as it was before.
    """
    path = pathlib.Path(logdir)
    _check_owner(path, identity)
    with files.writing(path):
        path.mkdir(parents=True, exist_ok=True)
        lock = open(path / _LOCK, "a+")  # noqa: SIM115
    with lock:
        _lock(lock, path)
        yield path


@contextlib.contextmanager
def leaving_no_trace(logdir: str | os.PathLike[str]) -> Iterator[None]:
    """When its body fails, removes the directory and its parents, as far as they were not there."""
    path = pathlib.Path(logdir).absolute()
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        if missing:
            shutil.rmtree(missing[-1], ignore_errors=True)
        raise


def _lock(lock: Any, path: pathlib.Path) -> None:
    """Locks and writes this process's id; the kernel unlocks when the process ends, however."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        raise UserError(
            f"log directory {path} is in use by process {lock.read().strip() or 'unknown'}; "
            "wait for it or choose another --logdir"
        ) from error
    with files.writing(path):
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()


def _check_owner(logdir: pathlib.Path, identity: Mapping[str, Any]) -> None:
    try:
        found = json.loads((logdir / "summary.json").read_text())
    except (OSError, ValueError):
        return  # None yet, or damaged; the checkpoints' manifests decide.
    for name, mine in identity.items():
        if found.get(name, mine) != mine:
            raise UserError(
                f"log directory {logdir} belongs to a run with {name} {found[name]!r}, not "
                f"{mine!r}; choose another --logdir"
            )
