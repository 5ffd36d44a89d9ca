"""Writing files so that a reader, or the next start, sees the old content or the new, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import pathlib
import re
import sys
from collections.abc import Iterator

from pipelines.system.errors import UserError

_REASONS = re.compile(
    r"No space left on device|Read-only file system|Disk quota exceeded|Permission denied"
    r"|File too large|Input/output error"
)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], consequence: str = "") -> Iterator[None]:
    """Turns a disk that is full, read-only or broken into a UserError: one line naming `path`.

    Args:
      path: what is being written, for the message.
      consequence: what that means for the user, appended to the line.
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        gone = error.errno == errno.ENOENT
        raise UserError(_line(path, why, consequence, gone)) from error
    except Exception as error:
        # Only who has imported TensorFlow, which takes seconds, can meet its errors.
        tf = sys.modules.get("tensorflow")
        if tf is None or not isinstance(error, tf.errors.OpError):
            raise
        gone = isinstance(error, tf.errors.NotFoundError)
        raise UserError(_line(path, reason(error.message), consequence, gone)) from error


def atomic_write(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Replaces `path` by `data`; whoever reads it finds the old bytes or the new, never a part.

    Raises:
      OSError: the old content, if any, is untouched.
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync(path: str | os.PathLike[str]) -> None:
    """Waits until a file's bytes, or a directory's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def reason(message: str) -> str:
    """Returns what the disk said, from a message of TensorFlow or Reverb; or its first line."""
    found = _REASONS.search(message)
    return found.group(0) if found else (message.splitlines() or ["unknown error"])[0]


def _line(path: str | os.PathLike[str], why: str, consequence: str, gone: bool) -> str:
    path = pathlib.Path(path)
    missing = [place for place in (path, *path.parents) if gone and not place.exists()]
    if missing:  # Whatever would have been the consequence: the outermost of them was removed.
        return f"cannot write {path}: {missing[-1]} is gone"
    return f"cannot write {path}: {why}" + (f"; {consequence}" if consequence else "")
