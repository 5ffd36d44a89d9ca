"""A run's log directory: held by one process at a time, and by no run but its own.

A claim is one step: whoever locks the file `.lock` holds the directory. A start that fails takes
back what it made and nothing else, while it still holds the lock: files of a run that were not
there before, then the folders that it made itself, as far as they are empty.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.logdir import leftovers
from pipelines.system import files
from pipelines.system.errors import UserError

_LOCK = ".lock"
_OWNER = ("agent", "environment", "seed")
# What a run makes in its directory, and what makes a directory a run's.
_MADE = re.compile(
    r"config\.gin|summary\.json|metrics\.csv|events\.out\.tfevents\..+"
    r"|checkpoints|replay|videos|policy|world|workers"
)
_OF_A_RUN = {"config.gin", "summary.json"}
# Others may take the directory away between making and locking it, each of them once.
_TRIES = 1000

_claims: list[Claim] = []


class Claim:
    """A directory that this process holds.

    Attributes:
      path: the directory, as it was named.
    """

    def __init__(self, logdir: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(logdir)
        self._made: list[pathlib.Path] = []
        self._lock: int | None = None
        self._before: set[str] = set()
        self._kept = False
        _claims.append(self)

    def keep(self) -> None:
        """The start has succeeded: what was made stays."""
        self._kept = True

    def check(self) -> None:
        """Raises UserError where the directory has been removed, renamed or replaced."""
        if not self._is_there():
            raise UserError(
                f"log directory {self.path} is gone: it or its {_LOCK} was removed or renamed "
                "during the run; nothing more can be saved"
            )

    def open(self, identity: Mapping[str, Any]) -> None:
        """Makes, locks and examines the directory; see `claim`."""
        with files.writing(self.path):
            self._make_and_lock()
        leftovers.sweep(self.path)
        with contextlib.suppress(OSError):  # On a full disk; it is for others' information alone.
            os.ftruncate(self._lock, 0)
            os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        _check_owner(self.path, identity)
        _check_foreign(self.path, self._before)

    def close(self) -> None:
        """Gives the directory back, without what a start that was not kept has made."""
        if self in _claims:
            _claims.remove(self)
        try:
            self.take_back()
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def take_back(self) -> None:
        """Removes what a start that was not kept has made."""
        if self._kept:
            return
        if self._lock is not None and self._is_there():
            self._remove_files()
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):  # Others' files are in it by now.
                folder.rmdir()

    def _make_and_lock(self) -> None:
        for _ in range(_TRIES):
            try:
                self._make_folders()
                if self._try_to_lock():
                    return
            except FileNotFoundError:
                pass  # A start that failed has taken a folder back.
        raise OSError(errno.EBUSY, "others keep removing it")

    def _try_to_lock(self) -> bool:
        """Returns whether the file that was locked is still the directory's."""
        path = self.path / _LOCK
        was_there = path.exists()
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_file(path, lock):
                # In this order: from the lock on, what was not there before may be taken back.
                self._before = self._names(was_there)
                self._lock = lock
            return self._lock is not None
        except BlockingIOError as error:
            raise UserError(_in_use(self.path, lock)) from error
        finally:
            if self._lock is None:
                os.close(lock)

    def _names(self, with_lock: bool) -> set[str]:
        """What is in the directory; a lock without a run is only the trace of a start."""
        names = set(os.listdir(self.path)) - {_LOCK}
        return names | {_LOCK} if with_lock and names & _OF_A_RUN else names

    def _make_folders(self) -> None:
        for folder in reversed([self.path, *self.path.parents]):
            if not folder.is_dir():
                try:
                    folder.mkdir()
                    self._made.append(folder)
                except FileExistsError as error:
                    if os.path.lexists(folder) and not folder.is_dir():
                        raise NotADirectoryError(
                            errno.ENOTDIR, os.strerror(errno.ENOTDIR)
                        ) from error

    def _is_there(self) -> bool:
        """Whether the path still leads to what is locked."""
        return self._lock is not None and _is_file(self.path / _LOCK, self._lock)

    def _remove_files(self) -> None:
        """The lock is the last, so that nobody else begins before all is gone."""
        made = [name for name in os.listdir(self.path) if name not in self._before]
        for name in filter(_MADE.fullmatch, made):
            leftovers.remove(self.path / name)
        leftovers.sweep(self.path)
        if _LOCK in made:
            (self.path / _LOCK).unlink(missing_ok=True)


@contextlib.contextmanager
def claim(logdir: str | os.PathLike[str], identity: Mapping[str, Any]) -> Iterator[Claim]:
    """Makes the directory where it is missing and holds it until the context is left.

    What is made in it is taken back when the context is left, unless `keep` was called.

    Args:
      logdir: the directory.
      identity: what makes the run itself: agent, environment, seed.

    Raises:
      UserError: it is another run's, it holds files but no run, another process holds it, or it
        cannot be written. It is then as it was before.
    """
    claimed = Claim(logdir)
    try:
        claimed.open(identity)
        yield claimed
    finally:
        claimed.close()


def take_back() -> None:
    """Takes back all that this process has made and not kept; for one that ends at once."""
    for claimed in list(_claims):
        with contextlib.suppress(OSError):  # It ends at once in any case.
            claimed.take_back()


def _is_file(path: pathlib.Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False


def _in_use(path: pathlib.Path, lock: int) -> str:
    holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
    return (
        f"log directory {path} is in use by process {holder}; wait for it or choose another "
        "--logdir"
    )


def _check_owner(logdir: pathlib.Path, identity: Mapping[str, Any]) -> None:
    """By the summary; the checkpoints' manifests decide where there is none."""
    path = logdir / "summary.json"
    try:
        found = json.loads(path.read_text())
        owner = {name: found[name] for name in _OWNER}
    except FileNotFoundError:
        return
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        if not (logdir / "checkpoints").is_dir():
            raise UserError(
                f"{path} is no run's summary; choose another --logdir, or remove that file"
            ) from error
        print(f"warning: {path} is damaged and written anew", file=sys.stderr)
        return
    for name, mine in identity.items():
        if owner.get(name, mine) != mine:
            raise UserError(
                f"log directory {logdir} belongs to a run with {name} {owner[name]!r}, not "
                f"{mine!r}; choose another --logdir"
            )


def _check_foreign(logdir: pathlib.Path, names: set[str]) -> None:
    """Refuses a directory that is somebody's, but no run's."""
    if names & _OF_A_RUN:
        return
    foreign = [name for name in sorted(names) if not _may_stand_beside_a_run(logdir / name)]
    if foreign:
        raise UserError(
            f"log directory {logdir} holds other files than a run's, such as {foreign[0]!r}; "
            "choose one that is empty or not there"
        )


def _may_stand_beside_a_run(path: pathlib.Path) -> bool:
    """A run's own files, hidden ones, and what this process prints to."""
    name = path.name
    if name.startswith((".", "metrics.csv.damaged")) or _MADE.fullmatch(name):
        return True
    return any(_is_file(path, stream) for stream in (1, 2))
