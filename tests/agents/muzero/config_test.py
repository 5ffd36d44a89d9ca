"""Protects MuZero's settings: what cannot be meant is refused in one line."""

from __future__ import annotations

import pytest

from agents.muzero import MuZeroConfig
from tests.agents.config_contract import ConfigContract, message_of


class TestMuZeroConfig(ConfigContract):
    config = MuZeroConfig


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"discount": 0.0}, "discount = 0.0; expected −1 to 1 and not 0"),
        (
            {"reanalyze_fraction": 1.5},
            "reanalyze_fraction = 1.5; expected at least 0 and at most 1",
        ),
        ({"fpu_reduction": 0.1}, "fpu_reduction = 0.1; expected None with q_scale 'tree'"),
        (
            {"average_decay": 1.0},
            "average_decay = 1.0; expected more than 0 and less than 1 or None",
        ),
        ({"dirichlet_alpha": 0.0}, "dirichlet_alpha = 0.0; expected more than 0"),
        (
            {"downsampling_blocks": [1, 2]},
            "downsampling_blocks = [1, 2]; expected 3 numbers, one for each of the first three "
            "halvings",
        ),
        (
            {"temperature_updates": [20, 10]},
            "temperature_updates = [20, 10]; expected none before the one in front of it",
        ),
        (
            {"value_refresh_fraction": 1.0, "n_step": None},
            "value_refresh_fraction = 1.0; expected 0 with n_step None: a game's outcome is "
            "bootstrapped by nothing",
        ),
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
