"""Protects MuZero's settings: what cannot be meant is refused in one line."""

from __future__ import annotations

import pytest

from agents.muzero import MuZeroConfig
from agents.muzero.config import _AT_LEAST_ONE, _AT_LEAST_ZERO
from tests.agents.config_contract import ConfigContract, message_of


class TestMuZeroConfig(ConfigContract):
    config = MuZeroConfig
    at_least_one, at_least_zero = _AT_LEAST_ONE, _AT_LEAST_ZERO


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"discount": 0.0}, "discount = 0.0; expected −1 to 1 and not 0"),
        ({"reanalyze_fraction": 1.5}, "reanalyze_fraction = 1.5; expected 0 to 1"),
        ({"fpu_reduction": 0.1}, "fpu_reduction = 0.1; expected None with q_scale 'tree'"),
        ({"average_decay": 1.0}, "average_decay = 1.0; expected a number between 0 and 1, or None"),
        (
            {"mirror": True},
            "mirror = True; expected False with action_planes 'index': only columns are known to "
            "have a mirror image",
        ),
        (
            {"temperatures": [1.0]},
            "temperatures = [1.0]; expected one more than temperature_updates, which are 2",
        ),
        ({"search": "gumble"}, "search = 'gumble'; expected one of 'muzero', 'gumbel'"),
    ],
)
def test_what_does_not_fit_is_named(values: dict, expected: str):
    assert message_of(MuZeroConfig, **values) == f"MuZeroConfig.{expected}"
