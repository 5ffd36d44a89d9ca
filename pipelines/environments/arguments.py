"""Checks on what a person binds in gin: each failure is one line that says what was expected."""

from __future__ import annotations

import numbers
from collections.abc import Sequence

from pipelines.system.errors import UserError, nearest

_MAX_LISTED = 8


def check_choice(name: str, value: object, choices: Sequence[str]) -> str:
    """Returns `value` if it is one of `choices`, else raises UserError with the nearest of them."""
    if value in choices:
        return str(value)
    listed = ", ".join(choices[:_MAX_LISTED]) + (", ..." if len(choices) > _MAX_LISTED else "")
    raise UserError(f"{name} is {value!r}, expected one of {listed}{nearest(str(value), choices)}")


def check_integer(name: str, value: object, minimum: int, maximum: int | None = None) -> int:
    """Returns `value` as an int if it is one in [minimum, maximum], else raises UserError."""
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if is_integer and value >= minimum and (maximum is None or value <= maximum):
        return int(value)
    bound = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
    raise UserError(f"{name} is {value!r}, expected an integer {bound}")


def check_flag(name: str, value: object) -> bool:
    """Returns `value` if it is True or False, else raises UserError."""
    if isinstance(value, bool):
        return value
    raise UserError(f"{name} is {value!r}, expected True or False")
