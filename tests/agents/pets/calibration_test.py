"""Protects the calibration report: coverage, disagreement, the figure."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.pets.calibration import coverage, disagreement, judge, make_figure
from agents.pets.networks import DynamicsModel
from tests.agents.pets.tiny import rows, tiny


def make(**changes):
    tf.random.set_seed(0)
    config = tiny(**changes)
    return config, DynamicsModel(config, observation_size=4, action_size=1)


def episode(length: int = 12):
    whole = rows([length])
    return whole.observation.numpy(), whole.action.numpy()[:-1]


def with_outputs(model: DynamicsModel, biases: list[float]) -> None:
    """Makes every network predict a constant: means, then log-variances."""
    ensemble = model.ensemble
    ensemble.weights[-1].assign(tf.zeros_like(ensemble.weights[-1]))
    ensemble.biases[-1].assign(tf.ones_like(ensemble.biases[-1]) * biases)


def test_coverage_of_uniform_quantiles_is_the_level():
    quantiles = (np.arange(1000) + 0.5) / 1000
    levels = np.array([0.1, 0.5, 0.9])
    np.testing.assert_allclose(coverage(quantiles, levels), levels, atol=2e-3)
    np.testing.assert_array_equal(coverage(np.full(9, 0.5), levels), [1, 1, 1])


def test_a_model_is_judged_by_its_own_distribution():
    _, model = make()
    count = 4000
    observation, action = tf.zeros([count, 4]), tf.zeros([count, 1])
    with_outputs(model, [0.0] * 4 + [-2.0] * 4)
    prediction = model.predict(tf.zeros([3, 1, 4]), tf.zeros([3, 1, 1]))
    stddev = float(prediction.stddev()[0, 0, 0])
    following = stddev * tf.random.stateless_normal([count, 4], [0, 1])
    found = judge(model, observation, action, following, tf.zeros([count]))
    np.testing.assert_allclose(found["calibration/coverage_90"], 0.9, atol=0.01)
    entropy = 4 * (0.5 * np.log(2 * np.pi * np.e) + np.log(stddev))
    np.testing.assert_allclose(found["calibration/log_likelihood"], -entropy, rtol=0.02)
    np.testing.assert_allclose(found["calibration/error"], 1.0, atol=0.02)


def test_outcomes_that_never_move_are_judged_in_their_own_units():
    """A target that stands still has no deviation to count errors in."""
    config, model = make(task="differences")
    following = tf.fill([150, 4], 0.3)
    with_outputs(model, [0.5] * 5 + [-2.0] * 5)  # Off by 0.5 in each difference and the reward.
    found = judge(model, following, tf.zeros([150, 1]), following, tf.zeros([150]))
    np.testing.assert_allclose(found["calibration/error"], 0.5, rtol=1e-5)

    observations, actions = np.full([12, 4], 0.3, np.float32), np.zeros([11, 1], np.float32)
    _, error = disagreement(config, model, observations, actions)
    np.testing.assert_allclose(error, 0.5 * np.arange(1, 5), rtol=0.4)


def test_equal_networks_do_not_disagree_and_different_ones_do():
    config, model = make(probabilistic=False)
    observations, actions = episode()
    apart, error = disagreement(config, model, observations, actions)
    assert apart.shape == error.shape == (4,)
    assert apart[-1] > 1e-4 and error[-1] > 0
    for variable in (*model.ensemble.weights, *model.ensemble.biases):
        variable.assign(tf.repeat(variable[:1], 3, axis=0))
    together, _ = disagreement(config, model, observations, actions)
    np.testing.assert_allclose(together, 0.0, atol=1e-5)


@pytest.mark.parametrize("changes", [{}, {"probabilistic": False}, {"propagation": "E"}])
def test_a_figure_is_drawn_for_every_kind_of_network(changes):
    config, model = make(**changes)
    observations, actions = episode()
    figures = make_figure(config, model)([observations], [actions])
    assert list(figures) == ["calibration"]
    picture = figures["calibration"]
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    assert 0 < (picture < 128).mean() < 0.5, "something is drawn"


def test_episodes_shorter_than_the_horizon_are_imagined_as_far_as_they_go():
    config, model = make()
    observations, actions = episode(length=2)
    apart, _ = disagreement(config, model, observations, actions)
    assert apart.shape == (2,)
