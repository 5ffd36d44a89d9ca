"""Protects who sees what: positions for agents that know the rules, planes for all others."""

from __future__ import annotations

import pytest

from agents.muzero import MuZeroBuilder, MuZeroConfig
from agents.searching.builder import num_actions
from pipelines.environments import make_environment_spec, rules_game


def test_who_learns_the_rules_is_not_given_them():
    builder = MuZeroBuilder(MuZeroConfig(torso="mlp", frame_stack=1))
    with pytest.raises(ValueError, match=r"sees planes, got packed positions; rules_game.planes"):
        builder.make_networks(make_environment_spec(rules_game(seed=0)), seed=0)


@pytest.mark.parametrize("resignation", [False, True])
def test_the_action_to_resign_is_none_of_the_games(resignation: bool):
    spec = make_environment_spec(rules_game(seed=0, resignation=resignation))
    assert num_actions(spec) == 7
    assert spec.actions.num_values == 7 + resignation
