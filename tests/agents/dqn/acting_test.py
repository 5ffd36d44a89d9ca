"""Protects the policy: the contract, how often it explores, and what its stack holds."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.builder import Role
from agents.dqn.acting import DQNPolicy
from agents.q_learning.exploration import exploration
from tests.agents.dqn import tiny
from tests.agents.policy_contract import PolicyContract, observe


def make(torso: str = "mlp", role: Role = Role(), **changes) -> DQNPolicy:  # noqa: B008
    builder, networks = tiny.builder_and_networks(torso, **changes)
    return builder.make_policy(networks, tiny.spec(torso), role)


class OfDQN(PolicyContract):
    low, high = 0, tiny.NUM_ACTIONS - 1


class TestPolicyOverStates(OfDQN):
    def make(self) -> DQNPolicy:
        return make(frame_stack=1)


class TestPolicyOverPixels(OfDQN):
    def make(self) -> DQNPolicy:
        return make("atari", dueling=True)


class TestNoisyPolicy(OfDQN):
    def make(self) -> DQNPolicy:
        noiseless = {"exploration": (0.0, 0.0), "exploration_updates": 1}
        return make(frame_stack=1, noise=2.0, distributional=True, dueling=True, **noiseless)


def test_noise_is_left_out_where_the_policy_is_judged():
    settings = {"frame_stack": 1, "noise": 2.0, "exploration": (0.0, 0.0)}
    for evaluation in (False, True):
        policy = make(role=Role(evaluation), evaluation_exploration=0.0, **settings)
        observation = observe(policy, 20)
        said = [policy.step(observation, {}, tf.constant([0, t]))[2]["q_value"] for t in (1, 2)]
        assert np.array_equal(*said) == evaluation


def test_exploration_falls_linearly_and_then_stays():
    config = tiny.config(exploration=(0.9, 0.1), exploration_updates=40)
    found = [float(exploration(config, tf.constant(n))) for n in (0, 10, 40, 1000)]
    np.testing.assert_allclose(found, [0.9, 0.7, 0.1, 0.1], rtol=1e-6)


def share_explored(policy: DQNPolicy, size: int, steps: int) -> np.ndarray:
    """How often each row's action is not the greedy one [size]."""
    observation = observe(policy, size)
    state = policy.initial_state(size)
    greedy = np.argmax(policy._network(observation[:, None]), axis=1)
    actions = [policy.step(observation, state, tf.constant([1, t]))[0] for t in range(steps)]
    return np.mean(np.array(actions) != greedy, axis=0)


@pytest.mark.parametrize(
    ("role", "expected"),
    # Of the random actions a quarter is the greedy one.
    [(Role(), 0.4), (Role(evaluation=True), 0.2)],
)
def test_it_explores_as_often_as_it_should(role: Role, expected: float):
    policy = make(role=role, frame_stack=1, exploration=(0.4, 0.0), evaluation_exploration=0.2)
    found = share_explored(policy, 400, 20).mean()
    assert found == pytest.approx(0.75 * expected, abs=0.02)  # Five standard errors.


def test_each_row_has_its_rung_of_the_ladder():
    role = Role(rows=range(2, 4), total_rows=4)
    policy = make(role=role, frame_stack=1, ladder=3.0, exploration=(0.8, 0.0))
    found = share_explored(policy, 2, 4000)
    expected = 0.75 * 0.8 ** np.array([1 + 3 * 2 / 3, 1 + 3])
    np.testing.assert_allclose(found, expected, atol=0.04)  # Five standard errors.


def test_the_stack_holds_the_last_observations_and_zeros_before_them():
    policy = make(frame_stack=3)
    state, seen = policy.initial_state(2), [observe(policy, 2, t) for t in range(4)]
    for t, observation in enumerate(seen):
        _, state, _ = policy.step(observation, state, tf.constant([0, t]))
        before = [np.zeros([2, 3])] * 2 + seen[: t + 1]
        np.testing.assert_array_equal(state["observations"], np.stack(before[-3:], axis=1))
