"""Standard input and output as a protocol wants them: line by line, nothing else among them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import IO
from typing import Protocol as Interface


class Protocol(Interface):
    """Answers lines."""

    def handle(self, line: str) -> bool:
        """Does what a line says; returns whether more may come."""

    def close(self) -> None:
        """Ends what still runs."""


def serve(make: Callable[[Callable[[str], None]], Protocol]) -> None:
    """Answers standard input until it ends or the protocol does.

    Args:
      make: makes the protocol, which writes whole lines with the function that it is given.
    """
    with _own_output() as stream, contextlib.suppress(BrokenPipeError):

        def write(text: str) -> None:
            stream.write(text)
            stream.flush()

        protocol = make(write)
        sys.stdin.reconfigure(errors="replace")
        try:
            for line in sys.stdin:
                if not protocol.handle(line):
                    break
        finally:
            protocol.close()


@contextlib.contextmanager
def _own_output() -> Iterator[IO[str]]:
    """Standard output for the protocol alone; what libraries print goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "w", encoding="utf-8") as stream:
            yield stream
    finally:
        os.dup2(kept, 1)
        os.close(kept)
