"""Protects A2C's gradient and V-trace, against NumPy."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from agents.a2c import A2CBuilder, A2CConfig
from agents.a2c.learning import A2CLearner
from tests.agents.actor_critic import tiny
from tests.agents.config_contract import ConfigContract


class TestA2CConfig(ConfigContract):
    config = A2CConfig


@pytest.fixture
def rng() -> np.random.RandomState:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    return np.random.RandomState(seed)


def make(actions=tiny.DISCRETE, **changes) -> A2CLearner:
    builder = A2CBuilder(A2CConfig(**{**tiny.SMALL, **changes}))
    return builder.make_learner(tiny.networks_of(builder, actions), seed=0)


@pytest.mark.parametrize("actions", [tiny.DISCRETE, tiny.CONTINUOUS])
@pytest.mark.parametrize("normalises", [False, True])
def test_losses_equal_those_written_out(rng, actions, normalises):
    learner = make(actions, normalise_advantages=normalises, trace=0.8)
    data, networks = tiny.rollouts(rng, actions), learner.networks
    rows = learner.rows(data)
    policy = networks.acting(rows.observation)
    count = rows.weight.numpy() == 1
    log_prob = policy.log_prob(rows.action).numpy()[count]
    entropy = policy.entropy().numpy()[count]
    advantage, target, value = (x.numpy()[count] for x in (rows.advantage, rows.target, rows.value))
    if normalises:
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    expected = {
        "loss/policy": -np.mean(log_prob * advantage),
        "loss/critic": np.mean((target - value) ** 2) / 2,
        "policy/entropy": entropy.mean(),
        "critic/unexplained": np.var(target - value) / np.var(target),
        "learner/steps": count.sum(),
    }
    metrics = learner.update(data, tf.constant([0, 0])).metrics
    for name, number in expected.items():
        np.testing.assert_allclose(metrics[name], number, rtol=1e-4, atol=1e-5, err_msg=name)


def test_v_trace_equals_the_one_written_out(rng):
    learner = make(correction="vtrace", discount=0.9)
    data = tiny.rollouts(rng, tiny.DISCRETE)
    values = learner.networks.value(data.observation).numpy()
    policy = learner.networks.acting(data.observation[:, :-1])
    ratios = np.exp(policy.log_prob(data.action) - data.extras["log_prob"])
    targets, advantages = tiny.v_trace(data, values, ratios, 0.9)
    found = learner.corrected(data, learner.rows(data))
    counts = found.weight.numpy() == 1
    np.testing.assert_allclose(
        found.target.numpy()[counts], targets.ravel()[counts], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(
        found.advantage.numpy()[counts], advantages.ravel()[counts], rtol=1e-4, atol=1e-5
    )


def test_v_trace_of_the_policys_own_data_is_the_return(rng):
    learner = make(correction="vtrace", trace=1.0)
    data = tiny.rollouts(rng, tiny.DISCRETE)
    policy = learner.networks.acting(data.observation[:, :-1])
    data = data._replace(extras={"log_prob": policy.log_prob(data.action)})
    rows = learner.rows(data)
    found = learner.corrected(data, rows)
    counts = rows.weight.numpy() == 1
    np.testing.assert_allclose(
        found.target.numpy()[counts], rows.target.numpy()[counts], rtol=1e-4, atol=1e-5
    )


def test_the_learning_rate_falls_and_gradients_are_cut(rng):
    learner = make(decay_updates=2, gradient_clip=1e-3)
    moved = []
    for _ in range(4):
        before = [variable.numpy() for variable in learner.networks.trainable_variables]
        assert learner.step(tiny.rollouts(rng, tiny.DISCRETE)).metrics["learner/gradient_norm"] > 0
        pairs = zip(learner.networks.trainable_variables, before, strict=True)
        moved.append(max(np.max(np.abs(now - old)) for now, old in pairs))
    assert moved[0] > moved[1] > 0 and moved[2] == moved[3] == 0
