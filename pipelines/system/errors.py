"""The one error type whose message is meant for the person at the terminal."""

from __future__ import annotations

import contextlib
import difflib
import sys
from collections.abc import Iterable, Iterator

_warned: set[str] = set()


class UserError(Exception):
    """Bad input or a failing surrounding; its message is the single line the user sees."""


class Interrupted(Exception):
    """The run was asked to stop; what was in progress can go on where it is."""


@contextlib.contextmanager
def harmless(loss: str) -> Iterator[None]:
    """Around what a run can do without: a failure is told once a process, and is no reason to end.

    Args:
      loss: what the user does not get then, as in 'no films'.
    """
    try:
        yield
    except Interrupted:
        raise
    except Exception as error:
        if loss not in _warned:
            _warned.add(loss)
            before = "\n" if sys.stderr.isatty() else ""  # A bar keeps its line.
            line = f"warning: {loss}: {first_line(error)}; everything else goes on"
            print(f"{before}{line}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def naming_misfits() -> Iterator[None]:
    """Around what builders and their stages make: what does not fit is for the user to read."""
    try:
        yield
    except ValueError as error:
        raise UserError(first_line(error)) from error


def nearest(name: str, valid: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` for the valid name nearest to `name`, or an empty string."""
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.4)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def first_line(error: BaseException) -> str:
    """Returns what an error says, without what others append below (gin: where it was raised)."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
