"""Bounds beside a configuration's fields, and the check that a wrong value ends in one line.

@dataclasses.dataclass(frozen=True)
class Config:
    batch_size: Count = 50
    momentum: Annotated[float, AtLeast(0), LessThan(1)] = 0.9

    def __post_init__(self) -> None:
        check(self)
"""

from __future__ import annotations

import dataclasses
import operator
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import numpy as np

_FLOAT32, _INT32 = np.finfo(np.float32), np.iinfo(np.int32)


@dataclasses.dataclass(frozen=True)
class Bound:
    """Where a number must lie, beside its type in `Annotated`."""

    number: float
    words: ClassVar[str]
    holds: ClassVar[Callable[[float, float], bool]]

    def __str__(self) -> str:
        return f"{self.words} {self.number}"


class AtLeast(Bound):
    """≥ number."""

    words, holds = "at least", operator.ge


class AtMost(Bound):
    """≤ number."""

    words, holds = "at most", operator.le


class MoreThan(Bound):
    """> number."""

    words, holds = "more than", operator.gt


class LessThan(Bound):
    """< number."""

    words, holds = "less than", operator.lt


Number = Annotated[float, AtLeast(-10_000), AtMost(10_000)]
Count = Annotated[int, AtLeast(1)]
Natural = Annotated[int, AtLeast(0)]
Scale = Annotated[float, AtLeast(0)]
Positive = Annotated[float, MoreThan(0)]
Share = Annotated[float, AtLeast(0), AtMost(1)]
ShareBelowOne = Annotated[float, AtLeast(0), LessThan(1)]


def check(config: Any) -> None:
    """Checks each field of a dataclass instance against its annotation.

    Understands int, float (an int passes), bool, str, X | None, Literal, tuple[X, ...] (a list
    passes) and bounds on them; other annotations are not checked. Numbers are those that int32 and
    float32 hold, for TensorFlow computes with these: no infinities, and no 1e-60 for more than 0.

    Raises:
      ValueError: names the class, the field, its value and what was expected.
    """
    hints = typing.get_type_hints(type(config), include_extras=True)
    for field in dataclasses.fields(config):
        wanted = _fault(getattr(config, field.name), hints[field.name])
        expect(config, field.name, wanted is None, wanted)


def expect(config: Any, field: str, holds: bool, wanted: str | None) -> None:
    """Raises a ValueError that names the field, its value and what is `wanted`, unless it holds."""
    if not holds:
        value = getattr(config, field)
        raise ValueError(f"{type(config).__name__}.{field} = {value!r}; expected {wanted}")


def _fault(value: Any, hint: Any) -> str | None:
    """What is expected in the place of `value`; None: it fits."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _fault(value, arguments[0]) or _broken(value, arguments[0], arguments[1:])
    if origin in (typing.Union, types.UnionType):
        faults = [_fault(value, argument) for argument in arguments]
        return None if None in faults else " or ".join(faults)
    if origin is typing.Literal:
        return None if value in arguments else "one of " + ", ".join(map(repr, arguments))
    if origin is tuple:
        return _fault_of_list(value, arguments[0])
    if hint is type(None):
        return None if value is None else "None"
    if hint in (bool, str):
        return None if isinstance(value, hint) else hint.__name__
    if hint in (int, float):
        return _fault_of_number(value, hint)
    return None


def _fault_of_list(value: Any, element: Any) -> str | None:
    kind = typing.get_args(element)[0] if typing.get_origin(element) is Annotated else element
    if not isinstance(value, (tuple, list)):
        return f"a list of {kind.__name__}"
    for fault in filter(None, (_fault(item, element) for item in value)):
        return f"a list of {fault}" if fault == kind.__name__ else f"each {fault}"
    return None


def _fault_of_number(value: Any, kind: type) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (int, kind)):
        return kind.__name__
    if kind is int:
        return None if _INT32.min <= value <= _INT32.max else "an integer that int32 holds"
    held = value == 0 or float(_FLOAT32.tiny) <= abs(value) <= float(_FLOAT32.max)
    return None if held else "a finite number that float32 holds"


def _broken(value: Any, kind: type, bounds: tuple[Bound, ...]) -> str | None:
    """The bounds, if not all of them hold as `kind` sees them."""
    seen = np.float32 if kind is float else int
    if all(bound.holds(seen(value), seen(bound.number)) for bound in bounds):
        return None
    return " and ".join(map(str, bounds))
