"""Protects SimPLe's settings: what cannot be is refused in a line."""

from __future__ import annotations

import pytest

from agents.simple import SimPLeConfig, SimPLePolicyConfig
from tests.agents.config_contract import ConfigContract, message_of


class TestSimPLeConfig(ConfigContract):
    config = SimPLeConfig


class TestSimPLePolicyConfig(ConfigContract):
    config = SimPLePolicyConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bits": 12}, "SimPLeConfig.bits = 12; expected a multiple of bits_at_once, 8, where"),
        ({"bits": 0}, "SimPLeConfig.bits = 0; expected a multiple of bits_at_once, 8, where"),
        ({"doublings": 7}, "SimPLeConfig.doublings = 7; expected at most downsamplings"),
        ({"reward_values": ()}, "SimPLeConfig.reward_values = (); expected a list of at least one"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(values, message):
    assert message_of(SimPLeConfig, **values).startswith(message)


def test_a_deterministic_model_needs_no_bits():
    assert SimPLeConfig(model="deterministic", bits=0).sequence_length == 9
