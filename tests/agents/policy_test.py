from __future__ import annotations

import numpy as np
import tensorflow as tf
from dm_env import specs

from agents.policy import Policy, RandomPolicy
from tests.agents import board
from tests.agents.policy_contract import PolicyContract, observe

OBSERVATION = tf.TensorSpec([4], tf.float32)
CONTINUOUS = specs.BoundedArray([2], np.float32, [-1, 2], [1, 3])


class TestContinuousRandomPolicy(PolicyContract):
    low, high = np.float32([-1, 2]), np.float32([1, 3])
    reads_observations = False

    def make(self) -> Policy:
        return RandomPolicy(OBSERVATION, CONTINUOUS)

    def test_actions_fill_the_bounds_evenly(self) -> None:
        policy = self.make()
        actions, _, _ = policy.step(observe(policy, 2000), {}, tf.constant([0, 0]))
        np.testing.assert_allclose(np.min(actions, axis=0), self.low, atol=0.01)
        np.testing.assert_allclose(np.max(actions, axis=0), self.high, atol=0.01)
        np.testing.assert_allclose(np.mean(actions, axis=0), [0, 2.5], atol=0.05)


class TestDiscreteRandomPolicy(PolicyContract):
    low, high = 0, 3
    reads_observations = False

    def make(self) -> Policy:
        return RandomPolicy(OBSERVATION, specs.DiscreteArray(4))

    def test_every_action_is_as_likely_the_last_one_included(self) -> None:
        policy = self.make()
        actions, _, _ = policy.step(observe(policy, 2000), {}, tf.constant([0, 0]))
        counts = np.bincount(actions, minlength=4)
        assert len(counts) == 4 and counts.min() > 400

    def test_different_rows_draw_differently(self) -> None:
        policy = self.make()
        actions, _, _ = policy.step(observe(policy, 50), {}, tf.constant([0, 0]))
        assert len(set(actions.numpy())) > 1


class TestIntegerRandomPolicy(TestDiscreteRandomPolicy):
    def make(self) -> Policy:
        return RandomPolicy(OBSERVATION, specs.BoundedArray([], np.int32, 0, 3))


class TestRandomPolicyOfLegalActions(PolicyContract):
    low, high = 0, 8

    def make(self) -> Policy:
        record = lambda legal: {"legal": tf.cast(legal, tf.float32)}  # noqa: E731
        return RandomPolicy(board.SPEC, specs.DiscreteArray(9), record)

    def test_legal_actions_alone_are_drawn_each_as_often(self) -> None:
        policy = self.make()
        observation = observe(policy, 1)
        legal = np.isin(np.arange(9), [1, 4, 8])
        many = {
            "board": tf.repeat(observation["board"], 3000, axis=0),
            "legal_actions": tf.constant(np.tile(legal, [3000, 1])),
        }
        actions, _, info = policy.step(many, {}, tf.constant([0, 0]))
        counts = np.bincount(actions, minlength=9)
        assert counts[legal].sum() == 3000 and counts[legal].min() > 900
        np.testing.assert_array_equal(info["legal"][0], legal)


class TestPolicyOfNests(PolicyContract):
    low, high = 0, 8

    def make(self) -> Policy:
        return board.BoardPolicy()


def test_observed_truths_hold_somewhere_in_each_row_and_not_everywhere():
    observation = observe(board.BoardPolicy(), 500)
    legal = observation["legal_actions"].numpy()
    assert observation["board"].shape == (500, 3, 3, 3)
    assert legal.dtype == bool and legal.any(axis=1).all() and not legal.all()
