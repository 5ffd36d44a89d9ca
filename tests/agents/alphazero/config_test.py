"""Protects AlphaZero's settings: what cannot be meant is refused in one line."""

from __future__ import annotations

import dataclasses

import pytest

from agents.alphazero import AlphaZeroBuilder, AlphaZeroConfig
from tests.agents.alphazero import tiny
from tests.agents.config_contract import ConfigContract, message_of


class TestAlphaZeroConfig(ConfigContract):
    config = AlphaZeroConfig


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"search": "muzero"}, "search = 'muzero'; expected one of 'alphazero', 'gumbel'"),
        (
            {"search": "gumbel", "reuse_subtree": True},
            "reuse_subtree = True; expected False with search 'gumbel', whose schedule counts "
            "visits from zero",
        ),
        (
            {"learning_rate_drops": [20, 10]},
            "learning_rate_drops = [20, 10]; expected none before the one in front of it",
        ),
        (
            {"resign_threshold": 1.5},
            "resign_threshold = 1.5; expected at least -1 and at most 1 or None",
        ),
    ],
)
def test_what_does_not_fit_is_named(values: dict, expected: str):
    assert message_of(AlphaZeroConfig, **values) == f"AlphaZeroConfig.{expected}"


@pytest.mark.parametrize(
    ("changes", "environment", "expected"),
    [
        (
            {"symmetries": "dihedral"},
            {"game": "connect_four"},
            "AlphaZeroConfig.symmetries = 'dihedral' does not fit: 7 actions on 6×7 are not the "
            "cells of a square",
        ),
        (
            {"resign_threshold": -0.9},
            {},
            "AlphaZeroConfig.resign_threshold = -0.9 and the environment's `resignation` do not "
            "fit; expected both or neither",
        ),
        (
            {},
            {"resignation": True},
            "AlphaZeroConfig.resign_threshold = None and the environment's `resignation` do not "
            "fit; expected both or neither",
        ),
    ],
)
def test_an_environment_that_does_not_fit_is_named(changes, environment, expected):
    builder = AlphaZeroBuilder(dataclasses.replace(tiny.CONFIG, **changes))
    with pytest.raises(ValueError) as error:
        builder.make_networks(tiny.spec(**environment), seed=0)
    assert str(error.value) == expected
