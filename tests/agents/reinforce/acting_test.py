"""Protects the policy: the contract, and that it is judged by its mode."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.builder import Role
from agents.policy import Policy
from tests.agents.policy_contract import PolicyContract, observe
from tests.agents.reinforce import tiny


def make(actions, evaluation: bool = False) -> Policy:
    builder, networks = tiny.builder_and_networks(actions)
    return builder.make_policy(networks, tiny.spec(actions), Role(evaluation=evaluation))


class TestDiscretePolicy(PolicyContract):
    low, high = 0, 3

    def make(self) -> Policy:
        return make(tiny.DISCRETE)


class TestContinuousPolicy(PolicyContract):
    low, high = np.float32([-1, 2]), np.float32([1, 3])

    def make(self) -> Policy:
        return make(tiny.CONTINUOUS)


@pytest.mark.parametrize("actions", [tiny.DISCRETE, tiny.CONTINUOUS])
def test_an_evaluated_policy_takes_the_likeliest_action(actions):
    drawing, judged = make(actions), make(actions, evaluation=True)
    observation = observe(drawing, 5)
    best, _, info = judged.step(observation, {}, tf.constant([0, 0]))
    np.testing.assert_array_equal(best, judged.step(observation, {}, tf.constant([0, 1]))[0])
    seeds = [tf.constant([0, t]) for t in range(20)]
    drawn = [drawing.step(observation, {}, seed)[2]["log_prob"] for seed in seeds]
    assert np.all(np.array(drawn) <= info["log_prob"] + 1e-6)
    assert np.any(np.array(drawn) < info["log_prob"] - 0.1)
