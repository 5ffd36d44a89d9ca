"""Protects the update: targets by each switch, the renewal of the target network, what it finds."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from agents.transitions import Transitions, n_step_transition
from agents.types import Sample
from tests.agents.d4pg.tiny import projected
from tests.agents.dqn import tiny


@pytest.fixture
def rng() -> np.random.RandomState:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    return np.random.RandomState(seed)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"double": True, "n_step": 3, "clip_rewards": False},
        {"torso": "atari", "dueling": True, "loss": "squared"},
    ],
)
def test_the_loss_equals_the_one_written_out(rng, changes):
    builder, networks = tiny.builder_and_networks(**changes)
    config, learner = builder.config, builder.make_learner(networks, seed=0)
    data = tiny.batch(rng, config)
    size = config.frame_stack
    values, behind = (
        networks.online(part).numpy() for part in (data[0][:, :size], data[0][:, -size:])
    )
    targets = networks.target(data.observations[:, -size:]).numpy()
    errors = []
    for b in range(len(values)):
        reward, discount = 0.0, 1.0
        for i in range(config.n_step):
            r = float(data.rewards[b, i])
            reward += discount * (np.clip(r, -1, 1) if config.clip_rewards else r)
            discount *= config.discount * float(data.discounts[b, i])
        best = np.argmax((behind if config.double else targets)[b])
        errors.append(reward + discount * targets[b, best] - values[b, data.action[b]])
    found, value = learner.temporal_difference(data)
    np.testing.assert_allclose(found, errors, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(value, values[np.arange(len(values)), data.action], rtol=1e-5)
    a = np.abs(errors)
    huber = np.where(a < 1, a**2 / 2, a - 0.5)
    expected = huber if config.loss == "huber" else a**2 / 2
    np.testing.assert_allclose(learner.loss(found), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("double", [False, True])
def test_the_distributions_loss_equals_the_one_written_out(rng, double):
    settings = {"num_atoms": 7, "min_return": -2.0, "max_return": 3.0, "n_step": 3}
    builder, networks = tiny.builder_and_networks(
        distributional=True, dueling=True, double=double, **settings
    )
    config, learner = builder.config, builder.make_learner(networks, seed=0)
    data, size = tiny.batch(rng, builder.config), builder.config.frame_stack
    before, behind = data.observations[:, :size], data.observations[:, -size:]
    atoms = np.linspace(-2, 3, 7)
    logs = tf.nn.log_softmax(networks.online.numbers(before)).numpy()
    following = tf.nn.softmax(networks.target.numbers(behind)).numpy()
    chooser = tf.nn.softmax(networks.online.numbers(behind)).numpy() if double else following
    expected = []
    for b in range(len(logs)):
        reward, discount = 0.0, 1.0
        for i in range(3):
            reward += discount * np.clip(float(data.rewards[b, i]), -1, 1)
            discount *= config.discount * float(data.discounts[b, i])
        best = np.argmax(chooser[b] @ atoms)
        target = projected(atoms, following[b, best], reward, discount)
        expected.append(-np.sum(target * logs[b, data.action[b]]))
    found = learner.errors(data, tf.constant([0, 0]))
    np.testing.assert_allclose(found.loss, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found.priority, found.loss)
    values = np.exp(logs)[np.arange(len(logs)), data.action] @ atoms
    np.testing.assert_allclose(found.metrics["q/value"], values.mean(), rtol=1e-4)


def test_the_sampler_is_made_up_for_more_and_more(rng):
    settings = {"importance_exponents": (0.0, 1.0), "importance_updates": 10}
    builder, networks = tiny.builder_and_networks(replay_sampler="prioritized", **settings)
    data = tiny.batch(rng, builder.config)
    probability = np.array([0.1, 0.2, 0.3, 0.2, 0.2])
    keys, sizes = tf.range(5, dtype=tf.int64), tf.fill([5], tf.constant(10, tf.int64))
    sample = Sample(tf.cast(keys, tf.uint64), tf.constant(probability), sizes, data)
    for number, exponent in ((0, 0.0), (5, 0.5), (20, 1.0)):
        learner = tiny.builder_and_networks(**settings)[0].make_learner(networks, seed=0)
        errors, _ = learner.temporal_difference(data)
        weights = probability**-exponent
        expected = np.mean(weights / weights.max() * learner.loss(errors))
        update = learner.update(sample, tf.constant([0, number]))
        np.testing.assert_allclose(update.metrics["loss/q"], expected, rtol=1e-4)
        np.testing.assert_allclose(update.priorities, np.abs(errors), rtol=1e-4, atol=1e-5)


def test_each_update_draws_its_noise(rng):
    builder, networks = tiny.builder_and_networks(noise=0.5)
    learner, data = builder.make_learner(networks, seed=0), tiny.batch(rng, builder.config)
    one, again, other = (learner.errors(data, tf.constant([0, n])).loss for n in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)


def test_the_gradient_goes_through_the_value_alone(rng):
    builder, networks = tiny.builder_and_networks()
    learner = builder.make_learner(networks, seed=0)
    data = tiny.batch(rng, builder.config)
    with tf.GradientTape(persistent=True) as tape:
        error, value = learner.temporal_difference(data)
    for variable in networks.online.trainable_variables:
        np.testing.assert_allclose(
            tape.gradient(error, variable), -tape.gradient(value, variable), atol=1e-6
        )
    assert all(tape.gradient(error, v) is None for v in networks.target.trainable_variables)


def test_the_target_network_is_renewed_when_its_period_is_over(rng):
    builder, networks = tiny.builder_and_networks(target_period=3, optimizer="adam")
    learner = builder.make_learner(networks, seed=0)
    pairs = list(zip(networks.target.variables, networks.online.variables, strict=True))
    before = [theirs.numpy() for theirs, _ in pairs]
    for update in range(1, 7):
        learner.step(tiny.batch(rng, builder.config))
        if update % 3 == 0:
            before = [ours.numpy() for _, ours in pairs]
        for (theirs, _), value in zip(pairs, before, strict=True):
            np.testing.assert_array_equal(theirs, value)
    assert int(networks.training_step) == 6, "exploration follows"


def test_the_learning_rate_falls_to_nothing(rng):
    builder, networks = tiny.builder_and_networks(optimizer="adam", decay_updates=3)
    learner = builder.make_learner(networks, seed=0)
    moved = []
    for _ in range(5):
        before = [variable.numpy() for variable in networks.online.variables]
        learner.step(tiny.batch(rng, builder.config))
        now = zip(networks.online.variables, before, strict=True)
        moved.append(max(np.max(np.abs(new - old)) for new, old in now))
    assert all(moved[:3]) and moved[0] > moved[2] and not any(moved[3:])


def test_nothing_behind_an_end_counts():
    batch = Transitions(
        observations=None,
        action=None,
        rewards=tf.constant([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]),
        discounts=tf.constant([[1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]),
    )
    rewards, discounts = n_step_transition(batch, 0.5)
    np.testing.assert_allclose(rewards, [1.5, 1.75])
    np.testing.assert_allclose(discounts, [0.0, 0.125])


def test_it_finds_the_values_of_a_small_world(rng):
    """Two states; action 1 changes them, and in the second action 0 earns 1: Q by hand."""
    builder, networks = tiny.builder_and_networks(
        frame_stack=1,
        hidden_layers=(32,),
        discount=0.5,
        optimizer="adam",
        learning_rate=0.01,
        target_period=20,
    )
    learner = builder.make_learner(networks, seed=0)
    states = np.eye(2, 3, dtype=np.float32)
    for _ in range(600):
        state, action = rng.randint(0, 2, 16), rng.randint(0, 2, 16)
        after = np.where(action == 1, 1 - state, state)
        reward = np.float32((state == 1) & (action == 0))
        seen = states[np.stack([state, after], axis=1)]
        learner.step(
            Transitions(
                tf.constant(seen),
                tf.constant(action, tf.int32),
                tf.constant(reward[:, None]),
                tf.ones([16, 1]),
            )
        )
    # V(second) = 1 / (1 − ½) = 2 by staying; V(first) = ½ · 2 by changing.
    found = networks.online(tf.constant(states[:, None]))[:, :2]
    # The other two actions, which nobody took, may look better than they are: they are not asked.
    masked = found.numpy()
    np.testing.assert_allclose(masked, [[0.5, 1.0], [2.0, 0.5]], atol=0.15)
