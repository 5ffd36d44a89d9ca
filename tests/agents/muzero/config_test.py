"""Protects MuZero's settings: what cannot be meant is refused in one line."""

from __future__ import annotations

import dataclasses

import pytest

from agents.muzero import MuZeroConfig
from agents.muzero.config import _AT_LEAST_ONE, _AT_LEAST_ZERO

FIELDS = {field.name: field.default for field in dataclasses.fields(MuZeroConfig)}


def message_of(**values) -> str:
    with pytest.raises(ValueError) as error:
        MuZeroConfig(**values)
    # gin adds a line of its own, which pipelines/experiment.py takes off again.
    return str(error.value).split("\n  In call to configurable")[0]


def spoilt(name: str, value: float):
    """`value` in the place of a field's default, as a list where that is one."""
    return [value] if isinstance(FIELDS[name], tuple) else value


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_refuses_a_value_of_the_wrong_type(name: str):
    message = message_of(**{name: {}})
    assert message.startswith(f"MuZeroConfig.{name} = {{}}; expected ") and "\n" not in message


@pytest.mark.parametrize("name", _AT_LEAST_ONE)
def test_counts_are_at_least_one(name: str):
    value = spoilt(name, 0)
    assert message_of(**{name: value}) == f"MuZeroConfig.{name} = {value}; expected at least 1"


@pytest.mark.parametrize("name", _AT_LEAST_ZERO)
def test_scales_are_not_negative(name: str):
    value = spoilt(name, -1)
    assert message_of(**{name: value}) == f"MuZeroConfig.{name} = {value}; expected at least 0"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"discount": 0.0}, "discount = 0.0; expected −1 to 1 and not 0"),
        ({"reanalyze_fraction": 1.5}, "reanalyze_fraction = 1.5; expected 0 to 1"),
        ({"fpu_reduction": 0.1}, "fpu_reduction = 0.1; expected None with q_scale 'tree'"),
        (
            {"temperatures": [1.0]},
            "temperatures = [1.0]; expected one more than temperature_updates, which are 2",
        ),
        ({"search": "gumble"}, "search = 'gumble'; expected one of 'muzero', 'gumbel'"),
    ],
)
def test_what_does_not_fit_is_named(values: dict, expected: str):
    assert message_of(**values) == f"MuZeroConfig.{expected}"
