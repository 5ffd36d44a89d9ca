"""Protects the update: targets by each switch, the renewal of the target network, what it finds."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from agents.transitions import Transitions, n_step_transition
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
