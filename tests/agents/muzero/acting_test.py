"""The policy searches, keeps to the rules, and records what it found."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from agents.policy import Policy
from tests.agents import policy_contract
from tests.agents.muzero import tiny


class TestVectors(policy_contract.PolicyContract):
    low, high = 0, tiny.NUM_ACTIONS - 1

    def make(self) -> Policy:
        return tiny.policy(tiny.VECTORS)


class TestStackedFrames(policy_contract.PolicyContract):
    low, high = 0, tiny.NUM_ACTIONS - 1

    def make(self) -> Policy:
        return tiny.policy(tiny.ATARI)


def test_only_legal_moves_are_searched_played_and_recorded():
    for search, evaluation in itertools.product(("muzero", "gumbel"), (False, True)):
        policy = tiny.policy(dataclasses.replace(tiny.BOARD, search=search), evaluation)
        rng = np.random.RandomState(3)
        for call in range(3):
            observation = tiny.batch_of(tiny.BOARD, rng, 8)
            action, _, info = policy.step(
                observation, policy.initial_state(8), tf.constant([0, call])
            )
            legal = observation["legal_actions"].numpy()
            assert np.all(legal[np.arange(8), action])
            assert not np.any(info["search_policy"].numpy()[~legal])
            np.testing.assert_allclose(
                tf.reduce_sum(info["search_policy"], 1), np.ones(8), rtol=1e-5
            )


def test_a_row_whose_game_is_over_does_not_stop_the_others():
    policy = tiny.policy(tiny.BOARD)
    observation = tiny.batch_of(tiny.BOARD, np.random.RandomState(0), 3)
    legal = observation["legal_actions"].numpy()
    legal[1] = False
    observation = {**observation, "legal_actions": tf.constant(legal)}
    action, _, _ = policy.step(observation, policy.initial_state(3), tf.constant([0, 0]))
    assert legal[0, action[0]] and legal[2, action[2]]


def test_evaluation_plays_the_most_visited_move():
    policy = tiny.policy(dataclasses.replace(tiny.VECTORS, num_simulations=20), evaluation=True)
    observation = tiny.batch_of(tiny.VECTORS, np.random.RandomState(0), 5)
    action, _, info = policy.step(observation, policy.initial_state(5), tf.constant([0, 0]))
    np.testing.assert_array_equal(action, np.argmax(info["search_policy"], axis=1))
    again, _, _ = policy.step(observation, policy.initial_state(5), tf.constant([9, 9]))
    np.testing.assert_array_equal(action, again)


def _search_policies(network_seed: int, shake: float, **changes) -> tuple[np.ndarray, np.ndarray]:
    """What a search without noise finds on eight boards, and the prior it starts from: [8, A]."""
    config = dataclasses.replace(tiny.BOARD, dirichlet_fraction=0.0, **changes)
    policy = tiny.policy(config, True, network_seed, shake)
    observation = tiny.batch_of(config, np.random.RandomState(1), 8)
    observation["legal_actions"] = tf.ones_like(observation["legal_actions"])
    _, _, info = policy.step(observation, policy.initial_state(8), tf.constant([0, 0]))
    root = policy._network.initial_inference(
        observation["board"][:, None], tf.zeros([8, 1], tf.int32)
    )
    return info["search_policy"].numpy(), tf.nn.softmax(root.prior_logits).numpy()


def test_with_first_play_urgency_more_actions_are_tried():
    for seed in range(3):
        changes = {"q_scale": "bounds", "num_simulations": 4}
        tried = [
            np.count_nonzero(_search_policies(seed, 0.3, fpu_reduction=reduction, **changes)[0])
            for reduction in (None, 0.0)
        ]
        print(f"seed {seed}: {tried}")
        assert tried[0] < tried[1]


def test_gumbel_keeps_close_to_the_prior_where_bounded_values_hardly_differ():
    changes = {"search": "gumbel", "num_simulations": 20}
    for seed in range(3):
        bounded, prior = _search_policies(seed, 0.01, q_scale="bounds", **changes)
        rescaled, _ = _search_policies(seed, 0.01, q_scale="siblings", **changes)
        print(f"seed {seed}: {np.abs(bounded - prior).max()}, {np.abs(rescaled - prior).max()}")
        assert np.abs(bounded - prior).max() < 0.05 < 0.2 < np.abs(rescaled - prior).max()


def test_a_stack_holds_the_last_observations_and_the_actions_between_them():
    config = tiny.ATARI
    policy = tiny.policy(config)
    rng = np.random.RandomState(5)
    state, frames, actions = policy.initial_state(2), [], []
    for call in range(5):
        frames.append(tiny.batch_of(config, rng, 2))
        action, state, info = policy.step(frames[-1], state, tf.constant([0, call]))
        actions.append(action)
        assert set(info) == set(tiny.builder(config).extras)
    np.testing.assert_array_equal(state["observations"], np.stack(frames[-3:], axis=1))
    np.testing.assert_array_equal(state["actions"], np.stack(actions[-3:], axis=1))
    assert np.all(state["moves"].numpy() == 5)


def test_what_is_recorded_says_how_old_the_network_is():
    policy = tiny.policy(tiny.VECTORS)
    policy._network.training_step.assign(17)
    observation = tiny.batch_of(tiny.VECTORS, np.random.RandomState(0), 2)
    _, _, info = policy.step(observation, policy.initial_state(2), tf.constant([0, 0]))
    np.testing.assert_array_equal(info["searched_at"], [17, 17])


def test_seed_games_are_uniform_over_the_legal_moves():
    builder = tiny.builder(tiny.BOARD)
    policy = builder.make_seed_policy(tiny.spec(tiny.BOARD))
    observation = tiny.batch_of(tiny.BOARD, np.random.RandomState(1), 4)
    legal = observation["legal_actions"].numpy()
    counts = np.zeros([4, tiny.NUM_ACTIONS])
    for call in range(300):
        action, _, info = policy.step(observation, {}, tf.constant([1, call]))
        counts[np.arange(4), action] += 1
    assert not np.any(counts[~legal])
    expected = legal / legal.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(info["search_policy"], expected, rtol=1e-6)
    np.testing.assert_allclose(counts / 300, expected, atol=0.12)
