"""Protects the critic's target, the policy's gradient, weights and priorities, against NumPy."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from agents.d4pg import D4PGBuilder, D4PGConfig
from agents.types import Sample
from tests.agents.config_contract import ConfigContract, message_of
from tests.agents.d4pg import tiny


class TestD4PGConfig(ConfigContract):
    config = D4PGConfig


def test_returns_must_lie_in_their_order():
    message = message_of(D4PGConfig, min_return=5.0, max_return=5.0)
    assert message == "D4PGConfig.max_return = 5.0; expected more than min_return (5.0)"


@pytest.mark.parametrize("name", ["policy_layers", "critic_layers"])
def test_networks_have_a_layer(name):
    message = message_of(D4PGConfig, **{name: ()})
    assert message == f"D4PGConfig.{name} = (); expected at least one layer"


@pytest.fixture
def rng() -> np.random.RandomState:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    return np.random.RandomState(seed)


@pytest.mark.parametrize("torso", ["states", "pixels"])
def test_the_critics_loss_equals_the_one_written_out(rng, torso):
    builder, networks = tiny.builder_and_networks(torso)
    config, data = builder.config, tiny.batch(rng, builder.config)
    learner = builder.make_learner(networks, seed=0)
    online, target = networks.online, networks.target
    behind = target.features(data.observations[:, -2:])
    following = tf.nn.softmax(target.critic(behind, target.policy(behind))).numpy()
    logits = online.critic(online.features(data.observations[:, :2]), data.action)
    logs, atoms = tf.nn.log_softmax(logits).numpy(), networks.atoms.numpy().astype(np.float64)
    expected = []
    for b in range(len(logs)):
        reward, discount = 0.0, 1.0
        for i in range(config.n_step):
            reward += discount * float(data.rewards[b, i])
            discount *= config.discount * float(data.discounts[b, i])
        expected.append(-np.sum(tiny.projected(atoms, following[b], reward, discount) * logs[b]))
    losses, value = learner.critic_losses(data)
    np.testing.assert_allclose(losses, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(value, np.exp(logs) @ atoms, rtol=1e-4)


def test_the_policys_gradient_goes_up_the_critic(rng):
    builder, networks = tiny.builder_and_networks()
    learner, data = builder.make_learner(networks, seed=0), tiny.batch(rng, builder.config)
    online = networks.online
    features = online.features(data.observations[:, :2])
    losses = tf.function(learner.policy_losses)  # trfl's takes gradients as graphs do.
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(losses(data)[0])
    with tf.GradientTape() as other:
        value = tf.reduce_sum(networks.mean(online.critic(features, online.policy(features))))
    variables = online.policy_variables
    pairs = zip(tape.gradient(loss, variables), other.gradient(value, variables), strict=True)
    for mine, theirs in pairs:
        np.testing.assert_allclose(mine, -theirs, rtol=1e-3, atol=1e-5)


def test_an_items_weight_makes_up_for_its_chance_and_its_loss_is_its_priority(rng):
    settings = {"replay_sampler": "prioritized", "importance_exponent": 0.5}
    builder, networks = tiny.builder_and_networks(**settings)
    learner, data = builder.make_learner(networks, seed=0), tiny.batch(rng, builder.config)
    chance = np.array([0.1, 0.4, 0.1, 0.1, 0.1])
    keys, size = tf.zeros([5], tf.uint64), tf.fill([5], tf.constant(10, tf.int64))
    losses, _ = learner.critic_losses(data)
    update = learner.step(Sample(keys, tf.constant(chance), size, data))
    weights = (chance / 0.1) ** -0.5
    expected = np.mean(weights * losses.numpy())
    np.testing.assert_allclose(update.metrics["loss/critic"], expected, rtol=1e-4)
    np.testing.assert_allclose(update.priorities, losses + 1e-3, rtol=1e-4)
    assert builder.dataset_options.prioritized


def test_both_networks_move_and_the_targets_only_at_their_time(rng):
    builder, networks = tiny.builder_and_networks("pixels", target_period=2)
    learner = builder.make_learner(networks, seed=0)
    online, target = networks.online, networks.target
    before = [variable.numpy() for variable in online.trainable_variables]
    kept = [variable.numpy() for variable in target.variables]
    learner.step(tiny.batch(rng, builder.config))
    for variable, old in zip(online.trainable_variables, before, strict=True):
        assert np.any(variable.numpy() != old), variable.name
    for variable, old in zip(target.variables, kept, strict=True):
        np.testing.assert_array_equal(variable, old)
    learner.step(tiny.batch(rng, builder.config))
    for theirs, ours in zip(target.variables, online.variables, strict=True):
        np.testing.assert_array_equal(theirs, ours)


def test_it_finds_the_best_action(rng):
    """An action is rewarded by how near it is to a point; there is nothing behind it."""
    settings = {"n_step": 1, "frame_stack": 1, "policy_layers": (32, 32), "critic_layers": (32, 32)}
    rates = {"policy_learning_rate": 0.003, "critic_learning_rate": 0.01}
    builder = D4PGBuilder(tiny.config(**settings, **rates))
    networks = builder.make_networks(tiny.spec(), seed=0)
    learner, best = builder.make_learner(networks, seed=0), np.array([0.5, -0.3])
    for _ in range(400):
        action = rng.uniform(-1, 1, [32, 2])
        reward = 9 - 2 * np.sum((action - best) ** 2, axis=1, keepdims=True)
        seen = tf.ones([32, 2, 3])
        data = (seen, *(tf.constant(x, tf.float32) for x in (action, reward, 0 * reward)))
        learner.step(tiny.Transitions(*data))
    online = networks.online
    found = online.policy(online.features(tf.ones([1, 1, 3])))[0]
    np.testing.assert_allclose(found, best, atol=0.15)
