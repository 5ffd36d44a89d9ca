"""A search on the host is the search in the graph, with a column for each legal move."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from agents.alphazero import AlphaZeroBuilder
from pipelines.environments import BatchedEnvironment, board_game, make_environment_spec, rules_game
from pipelines.launch.parts import make_role
from tests.agents.alphazero import tiny
from tests.agents.alphazero.host_games import games_of, observed


def host_policy(config, batch: BatchedEnvironment, evaluation: bool = False):
    role = make_role(batch, evaluation)
    return tiny.policy(config, evaluation, environment=make_environment_spec(batch), role=role)


@pytest.mark.parametrize(
    "changes", [{"fpu_reduction": 0.1}, {"search": "gumbel", "max_considered_actions": 4}]
)
def test_it_finds_what_the_search_in_the_graph_finds(changes):
    """OpenSpiel's planes are others than ours, so the network is one that says nothing."""
    config = dataclasses.replace(tiny.CONFIG, num_simulations=60, **changes)
    batch, seen = games_of("connect_four", count=3, moves=4)
    twins = [rules_game(seed=0, game="connect_four") for _ in range(3)]
    timesteps = []
    for twin, environment in zip(twins, batch.environments, strict=True):
        timestep = twin.reset()
        for action in environment.state.history():
            timestep = twin.step(action)
        timesteps.append(timestep)
    host = tiny.policy(
        config, True, 0.0, make_environment_spec(batch), make_role(batch, evaluation=True)
    )
    graph = tiny.policy(config, True, 0.0, tiny.spec("connect_four"))
    state, seed = graph.initial_state(3), tf.constant([1, 2])
    action, _, info = host.step(seen, state, seed)
    expected, _, expected_info = graph.step(observed(timesteps), state, seed)
    np.testing.assert_array_equal(action, expected)
    np.testing.assert_allclose(info["search_policy"], expected_info["search_policy"], atol=1e-6)
    np.testing.assert_allclose(info["search_value"], expected_info["search_value"], atol=1e-5)


def test_a_cache_of_evaluations_changes_time_alone():
    """And is empty again when a variable has changed."""
    batch, seen = games_of("tic_tac_toe", count=2, moves=1)
    config = dataclasses.replace(tiny.CONFIG, num_simulations=40)
    cached, plain = (
        host_policy(dataclasses.replace(config, cached_positions=room), batch) for room in (500, 0)
    )
    state, seed = plain.initial_state(2), tf.constant([3, 4])
    rates = []
    for change in (0.0, 0.0, 0.2):
        for policy in (cached, plain):
            for variable in policy._network.trainable_variables:
                variable.assign_add(tf.fill(variable.shape, change))
        (action, _, info), (expected, _, expected_info) = (
            policy.step(seen, state, seed) for policy in (cached, plain)
        )
        np.testing.assert_array_equal(action, expected)
        for name in info:
            np.testing.assert_allclose(info[name], expected_info[name], atol=1e-5, err_msg=name)
        rates.append(cached.measurements()["search/cache_hit_rate"])
    assert "search/cache_hit_rate" not in plain.measurements()
    # The second search finds all again, the third asks of everything as the first did.
    assert 0 < rates[0] < 0.5 < rates[1] > rates[2] and rates[2] < 0.6


def test_a_cache_keeps_to_its_room():
    batch, seen = games_of("tic_tac_toe", count=2, moves=1)
    config = dataclasses.replace(tiny.CONFIG, num_simulations=40, cached_positions=5)
    policy = host_policy(config, batch)
    policy.step(seen, policy.initial_state(2), tf.constant([3, 4]))
    assert len(policy._evaluations._said) == 5


@pytest.mark.parametrize("walks", [1, 3])
def test_games_of_thousands_of_actions_are_played_by_the_rules(walks: int):
    config = dataclasses.replace(tiny.CONFIG, walks=walks, max_legal=25, num_simulations=10)
    batch, seen = games_of("chess", count=2, moves=6)
    policy = host_policy(config, batch)
    action, state, info = policy.step(seen, policy.initial_state(2), tf.constant([0, 0]))
    legal = seen["legal_actions"].numpy()
    assert legal.sum(axis=1).max() > 19
    assert np.all(legal[np.arange(2), action])
    assert info["search_policy"].shape == (2, 4674)
    assert not np.any(info["search_policy"].numpy()[~legal])
    np.testing.assert_allclose(np.sum(info["search_policy"], axis=1), np.ones(2), rtol=1e-5)
    np.testing.assert_array_equal(state["moves"], [1, 1])


def test_where_there_are_too_few_columns_the_likely_moves_stay():
    config = dataclasses.replace(tiny.CONFIG, max_legal=3, num_simulations=20)
    batch, seen = games_of("connect_four", count=1, moves=0)
    policy = host_policy(config, batch)
    _, _, info = policy.step(seen, policy.initial_state(1), tf.constant([0, 0]))
    prior = policy._network(seen["board"]).prior_logits[0].numpy()
    assert set(np.flatnonzero(info["search_policy"][0])) <= set(np.argsort(-prior)[:3])


def test_a_row_whose_game_is_over_does_not_stop_the_others():
    batch, _ = games_of("tic_tac_toe", count=2, moves=0)
    timesteps = [batch.environments[0].reset()]
    for action in (0, 3, 1, 4, 2):
        timestep = batch.environments[1].step(action)
    policy = host_policy(tiny.CONFIG, batch)
    seen = observed([*timesteps, timestep])
    action, _, info = policy.step(seen, policy.initial_state(2), tf.constant([0, 0]))
    assert timestep.last() and seen["legal_actions"][0, action[0]] and 0 <= action[1] < 9
    np.testing.assert_allclose(np.sum(info["search_policy"], axis=1), np.ones(2), rtol=1e-5)


def test_what_a_search_on_the_host_does_not_do_is_told():
    spec = make_environment_spec(board_game(seed=0))
    builder = AlphaZeroBuilder(dataclasses.replace(tiny.CONFIG, reuse_subtree=True))
    with pytest.raises(ValueError, match="needs rules that are ops, those of rules_game"):
        builder.make_networks(spec, seed=0)
    with pytest.raises(ValueError, match="AlphaZero needs the rules: those of rules_game"):
        tiny.policy(tiny.CONFIG, environment=spec)
