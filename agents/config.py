"""Checks that every agent's configuration shares: a wrong value ends in one line that names it."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable
from typing import Any


def check_types(config: Any) -> None:
    """Checks each field of a dataclass instance against its annotation.

    Understands int, float (an int passes), bool, str, X | None, Literal and tuple[X, ...] (a list
    passes). Other annotations are not checked.

    Raises:
      ValueError: names the class, the field, its value and the expected type.
    """
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if not _matches(value, hints[field.name]):
            raise ValueError(
                f"{type(config).__name__}.{field.name} = {value!r}; "
                f"expected {_describe(hints[field.name])}"
            )


def check_at_least(config: Any, minimum: float, fields: Iterable[str]) -> None:
    """Checks that the named fields are at least `minimum` (None passes, tuples by element)."""
    for name in fields:
        value = getattr(config, name)
        elements = value if isinstance(value, (tuple, list)) else [value]
        if any(element is not None and not element >= minimum for element in elements):
            raise ValueError(
                f"{type(config).__name__}.{name} = {value!r}; expected at least {minimum}"
            )


def check_that(config: Any, name: str, holds: bool, expected: str) -> None:
    """Refuses the named field's value where a condition does not hold."""
    if not holds:
        value = getattr(config, name)
        raise ValueError(f"{type(config).__name__}.{name} = {value!r}; expected {expected}")


def _matches(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_matches(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        return isinstance(value, (tuple, list)) and all(_matches(v, arguments[0]) for v in value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint is type(None):
        return value is None
    return True


def _describe(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_describe(argument) for argument in arguments)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(repr, arguments))
    if origin is tuple:
        return f"a list of {_describe(arguments[0])}"
    return "None" if hint is type(None) else getattr(hint, "__name__", str(hint))
