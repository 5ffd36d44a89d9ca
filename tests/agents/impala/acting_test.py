"""Protects the policy: the contract, with and without a memory, and what it records."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.builder import Role
from agents.impala.acting import ImpalaPolicy
from tests.agents.actor_critic.tiny import DISCRETE
from tests.agents.impala import tiny
from tests.agents.policy_contract import PolicyContract, observe


def make(evaluation: bool = False, **changes) -> ImpalaPolicy:
    builder, networks = tiny.builder_and_networks(**changes)
    return builder.make_policy(networks, tiny.spec(), Role(evaluation))


class OfImpala(PolicyContract):
    low, high = 0, DISCRETE.num_values - 1


class TestFeedForwardPolicy(OfImpala):
    def make(self) -> ImpalaPolicy:
        return make(frame_stack=1)


class TestRecurrentPolicy(OfImpala):
    def make(self) -> ImpalaPolicy:
        return make(core_size=6)


@pytest.mark.parametrize("evaluation", [False, True])
def test_it_records_what_it_remembered_before_the_step(evaluation: bool):
    policy = make(evaluation=evaluation, core_size=6)
    observation, start = observe(policy, 2), policy.initial_state(2)
    action, state, _ = policy.step(observation, start, tf.constant([0, 0]))
    np.testing.assert_array_equal(state["action"], action)
    _, _, info = policy.step(observation, state, tf.constant([0, 1]))
    assert set(info) == ({"log_prob"} if evaluation else {"log_prob", "state"})
    for name, value in info.get("state", {}).items():
        np.testing.assert_array_equal(value, state[name])


def test_it_takes_the_likeliest_action_where_it_is_judged():
    policy = make(evaluation=True, frame_stack=1)
    actions = [policy.step(observe(policy, 3), {}, tf.constant([0, seed]))[0] for seed in range(5)]
    assert all(np.array_equal(actions[0], other) for other in actions)
