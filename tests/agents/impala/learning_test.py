"""Protects the update: the loss by each switch, written out in NumPy."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from tests.agents.actor_critic.tiny import v_trace
from tests.agents.impala import tiny


@pytest.fixture
def rng() -> np.random.RandomState:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    return np.random.RandomState(seed)


@pytest.mark.parametrize(
    "changes",
    [
        {"core_size": 5, "frame_stack": 3},
        {"frame_stack": 1, "clip_rewards": False, "normalise_advantages": True},
    ],
)
def test_the_loss_equals_the_one_written_out(rng, changes):
    builder, networks = tiny.builder_and_networks(discount=0.9, **changes)
    config, learner = builder.config, builder.make_learner(networks, seed=0)
    data = tiny.rollouts(rng, config)
    data = data._replace(reward=3 * data.reward)
    policy, values = networks.unroll(data)
    log_prob = policy.log_prob(data.action).numpy()
    ratios = np.exp(log_prob - data.extras["log_prob"])
    reward = np.clip(data.reward, -1, 1) if config.clip_rewards else data.reward
    targets, advantages = v_trace(
        data._replace(reward=tf.constant(reward)), values.numpy(), ratios, 0.9
    )
    counts = ~data.start_of_episode.numpy()[:, 1:]
    advantage = advantages[counts]
    if config.normalise_advantages:
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    expected = {
        "loss/policy": -np.mean(log_prob[counts] * advantage),
        "loss/critic": np.mean((targets - values.numpy()[:, :-1])[counts] ** 2) / 2,
        "policy/entropy": policy.entropy().numpy()[counts].mean(),
        "policy/ratio": np.minimum(ratios, 1)[counts].mean(),
        "learner/steps": counts.sum(),
    }
    metrics = learner.update(data, tf.constant([0, 0])).metrics
    for name, number in expected.items():
        np.testing.assert_allclose(metrics[name], number, rtol=1e-3, atol=1e-4, err_msg=name)


def test_the_sum_over_rows_is_their_number_times_the_mean(rng):
    norms = []
    data = tiny.rollouts(rng, tiny.config(core_size=5))
    for reduction in ("sum", "mean"):
        builder, networks = tiny.builder_and_networks(core_size=5, reduction=reduction)
        metrics = builder.make_learner(networks, seed=0).update(data, tf.constant([0, 0])).metrics
        norms.append(metrics["learner/gradient_norm"])
    np.testing.assert_allclose(norms[0], norms[1] * metrics["learner/steps"], rtol=1e-4)


def test_every_weight_learns(rng):
    builder, networks = tiny.builder_and_networks(core_size=5)
    learner = builder.make_learner(networks, seed=0)
    before = [variable.numpy() for variable in networks.trainable_variables]
    learner.step(tiny.rollouts(rng, builder.config))
    for old, variable in zip(before, networks.trainable_variables, strict=True):
        assert np.any(old != variable), variable.name
