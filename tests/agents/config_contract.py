"""What every agent's settings promise: what is wrong is refused in one line that names it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest


def message_of(config: type, **values: Any) -> str:
    """What making `config` of these values is refused with."""
    with pytest.raises(ValueError) as error:
        config(**values)
    # gin adds a line of its own, which pipelines/configuration/experiment.py takes off again.
    return str(error.value).split("\n  In call to configurable")[0]


class ConfigContract:
    """Inherit it and name the settings and their fields of each kind."""

    config: type
    at_least_one: Iterable[str]
    at_least_zero: Iterable[str]

    def test_every_field_refuses_a_value_of_the_wrong_type(self):
        for field in dataclasses.fields(self.config):
            message = message_of(self.config, **{field.name: {}})
            assert message.startswith(f"{self.config.__name__}.{field.name} = {{}}; expected ")
            assert "\n" not in message

    def test_counts_are_at_least_one(self):
        for name in self.at_least_one:
            self._assert_refused(name, 0, "expected at least 1")

    def test_scales_are_not_negative(self):
        for name in self.at_least_zero:
            self._assert_refused(name, -1, "expected at least 0")

    def _assert_refused(self, name: str, number: int, expected: str) -> None:
        default = {field.name: field.default for field in dataclasses.fields(self.config)}[name]
        value = [number] if isinstance(default, tuple) else number
        message = message_of(self.config, **{name: value})
        assert message == f"{self.config.__name__}.{name} = {value}; {expected}"
