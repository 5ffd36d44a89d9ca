"""Protects what both learners stand on: rows, their weights, and the moments."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from agents.a2c import A2CBuilder, A2CConfig
from agents.a2c.learning import A2CLearner
from agents.actor_critic import losses
from tests.agents.actor_critic import tiny


@pytest.fixture
def rng() -> np.random.RandomState:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    return np.random.RandomState(seed)


def make(**changes) -> A2CLearner:
    builder = A2CBuilder(A2CConfig(**{**tiny.SMALL, **changes}))
    return builder.make_learner(tiny.networks_of(builder, tiny.DISCRETE), seed=0)


def test_a_row_of_a_final_observation_changes_nothing(rng):
    data = tiny.rollouts(rng, tiny.DISCRETE)
    final = data.start_of_episode.numpy()[:, 1:]
    assert final.any() and not final.all()
    filled = lambda x, value: tf.constant(np.where(final, value, x), x.dtype)  # noqa: E731
    other = data._replace(
        action=filled(data.action, 3),
        reward=filled(data.reward, 99.0),
        discount=filled(data.discount, 1.0),
        extras={"log_prob": filled(data.extras["log_prob"], -5.0)},
    )
    one, two = (make().update(each, tf.constant([0, 0])).metrics for each in (data, other))
    for name, value in one.items():
        np.testing.assert_allclose(value, two[name], rtol=1e-5, err_msg=name)
    assert one["learner/steps"] == np.sum(~final)


def test_what_came_before_a_cut_bootstraps_from_the_final_observation(rng):
    learner = make(discount=0.9, trace=1.0)
    data = tiny.rollouts(rng, tiny.DISCRETE, batch=1, length=4)
    starts = tf.constant([[False, False, True, False, False]])  # Row 1 is final.
    discount = tf.constant([[1.0, 0.0, 1.0, 1.0]])
    rows = learner.rows(data._replace(start_of_episode=starts, discount=discount))
    values, reward = learner.networks.value(data.observation)[0], data.reward[0]
    np.testing.assert_allclose(rows.target[0], reward[0] + 0.9 * values[1], rtol=1e-5)
    following = reward[2] + 0.9 * reward[3] + 0.81 * values[4]
    np.testing.assert_allclose(rows.target[2], following, rtol=1e-5)
    np.testing.assert_array_equal(rows.weight, [1, 0, 1, 1])


def test_advantages_are_normalised_over_the_rows_that_count():
    found = losses.normalised(tf.constant([1.0, 99.0, 3.0]), tf.constant([1.0, 0.0, 1.0]))
    np.testing.assert_allclose(found.numpy()[[0, 2]], [-1.0, 1.0], rtol=1e-5)


def test_rewards_are_divided_by_the_deviation_of_the_targets_so_far(rng):
    learner, targets = make(normalise_rewards=True), []
    for number in range(3):
        data = tiny.rollouts(rng, tiny.DISCRETE)
        data = data._replace(reward=100 * data.reward)
        deviation = np.std(targets) if targets else 1.0
        np.testing.assert_allclose(learner._rewards(data), data.reward / deviation, rtol=1e-4)
        rows = learner.rows(data)
        targets += (rows.target * deviation).numpy()[rows.weight.numpy() == 1].tolist()
        learner.update(data, tf.constant([0, number]))


def test_a_batch_is_normalised_as_its_actions_were_drawn(rng):
    learner = make(normalise_observations=True)
    data, networks = tiny.rollouts(rng, tiny.DISCRETE), learner.networks
    drawn = networks.acting(data.observation[:, :-1]).log_prob(data.action)
    data = data._replace(extras={"log_prob": drawn})
    learner.update(data, tf.constant([0, 0]))
    rows = data.observation.numpy()[:, :-1][~data.start_of_episode.numpy()[:, 1:]]
    moments = networks.observation_moments
    # A mean near 0 has the rounding of what was summed.
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(moments.stddev, rows.std(axis=0), rtol=1e-4)
