"""What every agent's settings promise: what is wrong is refused in one line that names it."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any

import pytest

from agents.config import AtLeast, AtMost, LessThan, MoreThan

# What each bound refuses though it is next to it.
BEYOND = {
    AtLeast: lambda bound, step: bound - step,
    AtMost: lambda bound, step: bound + step,
    MoreThan: lambda bound, step: bound,
    LessThan: lambda bound, step: bound,
}


def message_of(config: type, **values: Any) -> str:
    """What making `config` of these values is refused with."""
    with pytest.raises(ValueError) as error:
        config(**values)
    # gin adds a line of its own, which pipelines/configuration/experiment.py takes off again.
    return str(error.value).split("\n  In call to configurable")[0]


def numbers_of(config: type) -> Iterator[tuple[str, bool, type, tuple]]:
    """Each field of numbers: its name, whether it is a list, int or float, its bounds."""
    for name, hint in typing.get_type_hints(config, include_extras=True).items():
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            hint, none = typing.get_args(hint)
            assert none is type(None), name
        is_list = typing.get_origin(hint) is tuple
        hint = typing.get_args(hint)[0] if is_list else hint
        kind, *bounds = typing.get_args(hint) if typing.get_origin(hint) is Annotated else [hint]
        if kind in (int, float):
            yield name, is_list, kind, tuple(bounds)


class ConfigContract:
    """Inherit it and name the settings."""

    config: type

    def test_every_field_refuses_a_value_of_the_wrong_type(self):
        for field in dataclasses.fields(self.config):
            message = message_of(self.config, **{field.name: {}})
            assert message.startswith(f"{self.config.__name__}.{field.name} = {{}}; expected ")
            assert "\n" not in message

    def test_every_number_has_bounds_and_is_refused_beyond_them(self):
        for name, is_list, kind, bounds in numbers_of(self.config):
            assert bounds, f"{name} may be any number"
            for bound in bounds:
                value = BEYOND[type(bound)](bound.number, 1 if kind is int else 1e-3)
                self._assert_refused(name, [value] if is_list else value, str(bound))

    def test_no_number_is_infinite_or_more_than_tensorflow_holds(self):
        for name, is_list, kind, _ in numbers_of(self.config):
            tried = {int: [2**31, -(2**31) - 1], float: ["nan", "inf", "-inf", "1e300", "1e-60"]}
            for value in map(kind, tried[kind]):
                self._assert_refused(name, [value] if is_list else value, f"that {kind.__name__}32")

    def _assert_refused(self, name: str, value: Any, expected: str) -> None:
        message = message_of(self.config, **{name: value})
        assert message.startswith(f"{self.config.__name__}.{name} = {value}; expected ")
        assert expected in message and "\n" not in message
