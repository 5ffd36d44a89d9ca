"""What a program prints is read by somebody or by nobody; either way the program goes on.

A reader that has ended (`| head -1`, `| tee log` after Ctrl-C), a terminal that is closed, a full
disk: Python raises an error out of whatever `print` that meets first. A reader that has stopped
reading: `print` waits for ever, deaf to signals.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from typing import TextIO

# How long a stream that takes nothing is waited for, in milliseconds.
_PATIENCE = 1000
# What a pipe that takes anything takes at once.
_PIECE = select.PIPE_BUF


class _Lossy(io.FileIO):
    """A file descriptor that never fails and never blocks for long: what nobody takes is lost."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._waiting = select.poll()
        self._waiting.register(descriptor, select.POLLOUT)
        self._patience = _PATIENCE

    def write(self, data: bytes) -> int:
        """Writes some of `data`; returns how many bytes need not be written again."""
        data = memoryview(data)[:_PIECE]
        try:
            if not self._waiting.poll(self._patience):
                self._patience = 0  # Until it takes something again.
                return len(data)
            self._patience = _PATIENCE
            return super().write(data) or len(data)
        except OSError:
            return len(data)


@contextlib.contextmanager
def lossy() -> Iterator[None]:
    """Makes sys.stdout and sys.stderr lose what nobody reads while its body runs."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _made_lossy(sys.stdout, 1), _made_lossy(sys.stderr, 2)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        sys.stdout, sys.stderr = before


def say_at_once(text: str, descriptor: int) -> None:
    """Prints a line from a signal's handler: `print` may be what the signal has interrupted."""
    with contextlib.suppress(OSError):
        if select.select([], [descriptor], [], 0)[1]:
            before = "\n" if os.isatty(descriptor) else ""  # A bar keeps its line.
            os.write(descriptor, f"{before}{text}\n".encode())


def _made_lossy(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is None:  # Closed by whoever started this program, and free for any file to take.
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        return os.fdopen(descriptor, "w", closefd=False)
    try:
        stream.flush()
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return stream  # No file of the system's: a test's.
    return io.TextIOWrapper(
        io.BufferedWriter(_Lossy(descriptor)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
    )
