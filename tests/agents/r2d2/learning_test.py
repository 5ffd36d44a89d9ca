"""Protects the update: targets, weights and priorities, written out in NumPy."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from agents.types import Sample
from tests.agents.r2d2 import tiny


@pytest.fixture
def rng() -> np.random.RandomState:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    return np.random.RandomState(seed)


def h(x):
    return np.sign(x) * (np.sqrt(np.abs(x) + 1) - 1) + 0.001 * x


def inverse(y):
    root = np.sqrt(1 + 4 * 0.001 * (np.abs(y) + 1 + 0.001)) - 1
    return np.sign(y) * ((root / (2 * 0.001)) ** 2 - 1)


def written_out(learner, data, config) -> tuple[np.ndarray, np.ndarray]:
    """h(G_t) − Q(s_t, a_t) and what counts [B, U], a row at a time."""
    online, target = (
        network.unroll(data, config.burn_in).numpy().astype(np.float64)
        for network in (learner.networks.online, learner.networks.target)
    )
    length = config.sequence_length - config.burn_in
    final = data.start_of_episode.numpy()[:, 1:]
    errors = np.zeros([config.batch_size, length])
    for b in range(config.batch_size):
        for t in range(length):
            total, discount, i = 0.0, 1.0, t
            while i < min(t + config.n_step, length) and not final[b, config.burn_in + i]:
                row = config.burn_in + i
                total += discount * float(data.reward[b, row])
                discount *= config.discount * float(data.discount[b, row])
                i += 1
            best = np.argmax((online if config.double else target)[b, i])
            behind = target[b, i, best]
            total += discount * (inverse(behind) if config.rescale_values else behind)
            action = int(data.action[b, config.burn_in + t])
            errors[b, t] = (h(total) if config.rescale_values else total) - online[b, t, action]
    return errors, ~final[:, config.burn_in :]


@pytest.mark.parametrize(
    "changes", [{}, {"double": False, "dueling": False, "rescale_values": False, "n_step": 5}]
)
def test_errors_and_priorities_equal_those_written_out(rng, changes):
    builder, networks = tiny.builder_and_networks(**changes)
    config, learner = builder.config, builder.make_learner(networks, seed=0)
    data = tiny.sequences(rng, config)
    expected, counts = written_out(learner, data, config)
    found, _ = learner.temporal_differences(data)
    np.testing.assert_allclose(found.numpy()[counts], expected[counts], rtol=1e-2, atol=1e-3)
    said = learner.errors(data, tf.constant([0, 0]))
    sizes = [np.abs(row[count]) for row, count in zip(expected, counts, strict=True)]
    priorities = [0.9 * s.max() + 0.1 * s.mean() if len(s) else 0.0 for s in sizes]
    np.testing.assert_allclose(said.priority, priorities, rtol=1e-2, atol=1e-3)
    losses = [0.5 * np.sum(s**2) / counts.shape[1] for s in sizes]
    np.testing.assert_allclose(said.loss, losses, rtol=2e-2, atol=1e-3)
    assert said.metrics["learner/steps"] == counts.sum()


def test_what_was_likelier_sampled_weighs_less(rng):
    builder, networks = tiny.builder_and_networks()
    learner = builder.make_learner(networks, seed=0)
    data = tiny.sequences(rng, builder.config)
    losses = learner.errors(data, tf.constant([0, 0])).loss.numpy()
    probability = np.array([0.1, 0.2, 0.3, 0.4])
    keys, sizes = tf.range(4, dtype=tf.int64), tf.fill([4], tf.constant(10, tf.int64))
    batch = Sample(tf.cast(keys, tf.uint64), tf.constant(probability), sizes, data)
    update = learner.update(batch, tf.constant([0, 0]))
    weights = (10 * probability) ** -0.6
    expected = np.mean(weights / weights.max() * losses)
    np.testing.assert_allclose(update.metrics["loss/q"], expected, rtol=1e-4)
    assert update.priorities.shape == (4,) and np.all(update.priorities > 0)
