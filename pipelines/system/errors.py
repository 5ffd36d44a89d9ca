"""The one error type whose message is meant for the person at the terminal."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input or a failing surrounding; its message is the single line the user sees."""


class Interrupted(Exception):
    """The run was asked to stop; what was in progress can go on where it is."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` for the valid name nearest to `name`, or an empty string."""
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.4)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def first_line(error: BaseException) -> str:
    """Returns what an error says, without what others append below (gin: where it was raised)."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
