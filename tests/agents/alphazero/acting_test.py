"""The search plays by the rules, finds what they hold, and says what it found."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from agents.policy import Policy
from ops import games
from pipelines.environments import board_game, rules_game
from pipelines.environments.opponents import best_actions
from tests.agents import policy_contract
from tests.agents.alphazero import tiny
from tests.agents.alphazero.tiny import positions


class AlphaZeroContract(policy_contract.PolicyContract):
    low, high = 0, 8

    @pytest.fixture(autouse=True)
    def observe_positions(self, monkeypatch):
        """Random bytes are no positions."""
        monkeypatch.setattr(
            policy_contract,
            "observe",
            lambda policy, batch_size, seed=0: positions(batch_size, seed),
        )
        monkeypatch.setattr(
            policy_contract, "_with_another_last_row", lambda x: tf.concat([x[:-1], x[:1]], 0)
        )


class TestAlphaZero(AlphaZeroContract):
    def make(self) -> Policy:
        return tiny.policy(tiny.CONFIG)


class TestResignation(AlphaZeroContract):
    high = 9

    def make(self) -> Policy:
        return tiny.policy(tiny.RESIGNING)


def test_only_legal_moves_are_searched_played_and_recorded():
    for search, evaluation in itertools.product(("alphazero", "gumbel"), (False, True)):
        policy = tiny.policy(dataclasses.replace(tiny.CONFIG, search=search), evaluation)
        observation = positions(8, seed=3)
        legal = observation["legal_actions"].numpy()
        for call in range(3):
            action, _, info = policy.step(
                observation, policy.initial_state(8), tf.constant([0, call])
            )
            assert np.all(legal[np.arange(8), action])
            assert not np.any(info["search_policy"].numpy()[~legal])
            np.testing.assert_allclose(tf.reduce_sum(info["search_policy"], 1), np.ones(8), 1e-5)


def test_an_untrained_network_and_enough_simulations_play_tic_tac_toe_perfectly():
    """What the learned model of MuZero has to learn first, the rules know."""
    config = dataclasses.replace(tiny.CONFIG, num_simulations=1500, fpu_reduction=0.0)
    policy = tiny.policy(config, evaluation=True, shake=0.0)
    observation = positions(60, seed=1)
    action, _, _ = policy.step(observation, policy.initial_state(60), tf.constant([0, 0]))
    boards = games.make("tic_tac_toe").board(observation["state"]).numpy().reshape(60, 9)
    # What is wrong about a first reply is seen some plies later, by more simulations than these.
    pairs = zip(boards, action.numpy(), strict=True)
    judged = [(board, chosen) for board, chosen in pairs if np.count_nonzero(board) > 1]
    assert len(judged) > 20
    for board, chosen in judged:
        assert chosen in best_actions(_open_spiel(board)), (board.reshape(3, 3), chosen)


def _open_spiel(board: np.ndarray):
    """A position of those stones: their order makes no difference."""
    first, second = (list(np.flatnonzero(board == player)) for player in (1, -1))
    environment = board_game(seed=0)
    environment.reset()
    for move in range(np.count_nonzero(board)):
        environment.state.apply_action((first, second)[move % 2].pop())
    return environment.state


@pytest.mark.parametrize("search", ["alphazero", "gumbel"])
def test_a_win_at_once_is_seen_and_its_value_is_1(search: str):
    config = dataclasses.replace(tiny.CONFIG, search=search, num_simulations=64)
    policy = tiny.policy(config, evaluation=True, environment=tiny.spec("connect_four"))
    environment = rules_game(seed=0, game="connect_four")
    environment.reset()
    for action in (2, 0, 2, 0, 2, 6):
        timestep = environment.step(action)
    observation = {name: tf.constant(part[None]) for name, part in timestep.observation.items()}
    action, _, info = policy.step(observation, policy.initial_state(1), tf.constant([0, 0]))
    assert action == 2
    if search == "alphazero":
        assert info["search_value"] > 0.5


def test_moves_are_drawn_in_proportion_to_visits_and_then_are_the_most_visited():
    config = dataclasses.replace(tiny.CONFIG, temperature_moves=2, num_simulations=40)
    policy = tiny.policy(config)
    observation = {name: tf.repeat(part, 200, 0) for name, part in positions(1, seed=0).items()}
    state = policy.initial_state(200)
    action, state, info = policy.step(observation, state, tf.constant([0, 0]))
    mean = np.mean(np.eye(9)[action.numpy()], axis=0)
    np.testing.assert_allclose(mean, np.mean(info["search_policy"], axis=0), atol=0.1)
    assert state["moves"][0] == 1
    late = {**state, "moves": tf.fill([200], 2)}
    action, _, info = policy.step(observation, late, tf.constant([0, 1]))
    most = np.max(info["search_policy"], axis=1)
    np.testing.assert_array_equal(info["search_policy"].numpy()[np.arange(200), action], most)


def test_who_has_no_hope_gives_up_but_not_in_games_that_are_played_on():
    """Of the games that hope is lost in, which at this threshold are all, half are played on."""
    policy = tiny.policy(tiny.RESIGNING)
    observation = positions(200, seed=2)
    action, state, info = policy.step(observation, policy.initial_state(200), tf.constant([0, 0]))
    gave_up, plays_on = info["gave_up"].numpy(), state["plays_on"].numpy()
    assert 60 < np.count_nonzero(plays_on) < 140
    hopeless = state["gave_up"].numpy()
    assert np.any(hopeless)
    np.testing.assert_array_equal(action.numpy() == 9, hopeless & ~plays_on)
    np.testing.assert_array_equal(gave_up, hopeless & plays_on)
    _, later, again = policy.step(observation, state, tf.constant([0, 1]))
    assert not np.any(again["gave_up"].numpy()[hopeless]), "once a game"
    np.testing.assert_array_equal(later["plays_on"], plays_on)


def test_nobody_gives_up_an_evaluation():
    policy = tiny.policy(tiny.RESIGNING, evaluation=True)
    observation = positions(20, seed=2)
    action, state, _ = policy.step(observation, policy.initial_state(20), tf.constant([0, 0]))
    assert np.all(action.numpy() < 9) and set(state) == {"moves"}


def test_a_reused_subtree_keeps_its_visits_where_the_game_went_and_nowhere_else():
    config = dataclasses.replace(tiny.CONFIG, reuse_subtree=True, num_simulations=30)
    policy, environment = tiny.policy(config), rules_game(seed=0, game="tic_tac_toe")
    first, other = environment.reset().observation, environment.step(0).observation
    rows = [{k: tf.constant(v[None]) for k, v in seen.items()} for seen in (first, other)]
    observation = tf.nest.map_structure(lambda a, b: tf.concat([a, b], 0), *rows)
    found = policy.search(observation, policy.initial_state(2), tf.constant([0, 0]), 30)
    np.testing.assert_array_equal(found.search_tree.node_visits[:, 0], [31, 31])
    action, state, info = policy.step(observation, policy.initial_state(2), tf.constant([0, 0]))
    visits = np.round(30 * info["search_policy"].numpy()[np.arange(2), action])
    # The first row goes where its tree went; the second is somewhere else.
    rules = games.make("tic_tac_toe")
    states = rules.step(observation["state"], action).state
    states = tf.stack([states[0], observation["state"][0]])
    following = {"state": states, "legal_actions": rules.legal(states)}
    found = policy.search(following, state, tf.constant([0, 1]), 30)
    np.testing.assert_array_equal(found.search_tree.node_visits[:, 0], [visits[0] + 30, 31])
    np.testing.assert_array_equal(found.search_tree.embeddings[:, 0], states)
    assert set(tiny.policy(config, evaluation=True).initial_state(1)) == {"moves"}
