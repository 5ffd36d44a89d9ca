"""Protects the policy: the contract, the warm start, the served plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from agents.pets.acting import PETSPolicy
from agents.pets.networks import DynamicsModel
from tests.agents.pets.tiny import tiny
from tests.agents.policy_contract import PolicyContract, observe


def make_policy(**changes) -> PETSPolicy:
    tf.random.set_seed(0)
    config = tiny(**changes)
    model = DynamicsModel(config, observation_size=4, action_size=1)
    return PETSPolicy(config, model, tf.TensorSpec([4]), tf.TensorSpec([1]))


class TestPETSPolicy(PolicyContract):
    # Without noise in the model, rows share no random numbers that a row's count would move.
    low, high = -1.0, 1.0

    def make(self) -> PETSPolicy:
        return make_policy()


def test_the_next_search_begins_at_the_last_plan_shifted():
    policy = make_policy()
    state = policy.initial_state(2)
    found = policy.plan(observe(policy, 2), state["plan"], tf.constant([0, 3]))
    action, after, _ = policy.step(observe(policy, 2), state, tf.constant([0, 3]))
    np.testing.assert_allclose(action, found.actions[:, 0], atol=1e-5)
    np.testing.assert_allclose(after["plan"][:, :-1], found.actions[:, 1:], atol=1e-5)
    np.testing.assert_array_equal(after["plan"][:, -1], np.zeros([2, 1]))


def test_a_cold_start_forgets_the_plan():
    policy = make_policy(warm_start=False)
    _, after, _ = policy.step(observe(policy, 2), policy.initial_state(2), tf.constant([0, 3]))
    np.testing.assert_array_equal(after["plan"], np.zeros([2, 4, 1]))


@pytest.mark.parametrize("propagation", ["E", "DS", "MM", "TS1", "TSinf"])
@pytest.mark.parametrize("probabilistic", [True, False])
def test_the_native_op_plans_as_plain_tensorflow_does(propagation: str, probabilistic: bool):
    options = dict(propagation=propagation, probabilistic=probabilistic)
    plans = []
    for backend in ("native", "tensorflow"):
        policy = make_policy(planning_backend=backend, **options)
        start = policy.initial_state(2)["plan"]
        plans.append(policy.plan(observe(policy, 2), start, tf.constant([0, 3])))
    for native, plain in zip(*plans, strict=True):
        np.testing.assert_allclose(native, plain, rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(
    "avx512_bf16" not in Path("/proc/cpuinfo").read_text(),
    reason="this processor has no AVX512_BF16",
)
def test_a_plan_in_bfloat16_promises_about_what_float32s_does():
    promised = []
    for precision in ("float32", "bfloat16"):
        policy = make_policy(planning_precision=precision, probabilistic=False)
        start = policy.initial_state(2)["plan"]
        plan = policy.plan(observe(policy, 2), start, tf.constant([0, 3]))
        promised.append(plan.predicted_return)
    assert np.any(promised[0] != promised[1])
    np.testing.assert_allclose(*promised, rtol=0.05)


def test_model_evaluations_count_each_network_that_is_asked():
    plans = 3 * 20 * 4
    assert make_policy().work(2)["model_evaluations"] == 2 * plans * 6
    assert make_policy(propagation="E").work(1)["model_evaluations"] == plans * 3
    assert make_policy(propagation="DS").work(1)["model_evaluations"] == plans * 6 * 3
