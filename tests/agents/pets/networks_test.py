"""Protects the ensemble: members in one batch are members alone; bounds, starts, losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from agents.optimizers import Adam
from agents.pets import losses
from agents.pets.networks import DynamicsModel, Ensemble
from pipelines.environments import pets_task
from tests.agents.pets.tiny import tiny


def make(seed: int = 0, **changes) -> Ensemble:
    tf.random.set_seed(seed)
    return Ensemble(tiny(**changes), input_size=5, output_size=3)


def by_hand(ensemble: Ensemble, member: int, inputs: np.ndarray) -> np.ndarray:
    """One network's raw outputs in float64."""
    hidden = (inputs - ensemble.input_mean.numpy()) / ensemble.input_stddev.numpy()
    last = len(ensemble.weights) - 1
    for n, (w, b) in enumerate(zip(ensemble.weights, ensemble.biases, strict=True)):
        hidden = hidden @ w.numpy()[member].astype(np.float64) + b.numpy()[member]
        if n < last:
            hidden = hidden / (1 + np.exp(-hidden))
    return hidden


def test_members_computed_together_are_what_each_is_alone():
    ensemble = make()
    ensemble.normalise_by(tf.random.stateless_normal([50, 5], [1, 2]) * 3 + 1)
    inputs = np.random.RandomState(0).normal(size=[3, 7, 5])
    prediction = ensemble(tf.constant(inputs, tf.float32))
    for member in range(3):
        outputs = by_hand(ensemble, member, inputs[member])
        np.testing.assert_allclose(prediction.mean()[member], outputs[:, :3], atol=1e-5)
        log_variance = 0.5 - np.log1p(np.exp(0.5 - outputs[:, 3:]))
        log_variance = -10 + np.log1p(np.exp(log_variance + 10))
        np.testing.assert_allclose(np.log(prediction.variance()[member]), log_variance, atol=1e-4)


def test_members_begin_differently():
    inputs = tf.ones([3, 1, 5])
    mean = make()(inputs).mean().numpy()
    assert np.any(mean[0] != mean[1]) and np.any(mean[1] != mean[2])


def test_variances_stay_within_their_learned_bounds():
    ensemble = make()
    ensemble.biases[-1].assign_add(100.0 * tf.ones_like(ensemble.biases[-1]))
    assert np.all(ensemble(tf.ones([3, 2, 5])).variance() <= math.exp(0.5) * 1.001)
    ensemble.biases[-1].assign_add(-200.0 * tf.ones_like(ensemble.biases[-1]))
    assert np.all(ensemble(tf.ones([3, 2, 5])).variance() >= math.exp(-10) * 0.999)


def test_a_constant_input_is_not_divided_by_its_spread():
    ensemble = make()
    ensemble.normalise_by(tf.fill([150, 5], 0.3))
    np.testing.assert_array_equal(ensemble.input_mean, np.full(5, 0.3, np.float32))
    np.testing.assert_array_equal(ensemble.input_stddev, np.ones(5))


@pytest.mark.parametrize("task", ["reacher", "pusher"])
def test_what_first_moves_in_the_second_episode_enters_as_it_is(task: str):
    """The reacher's target and the pusher's cylinder stand still through the first episode."""
    environment = pets_task(seed=0, task=task)
    rng = np.random.RandomState(0)
    steady = slice(7, 10) if task == "reacher" else slice(17, 20)

    def episode(length: int) -> np.ndarray:
        timesteps = [environment.reset()]
        for _ in range(length):
            timesteps.append(environment.step(rng.uniform(-1, 1, 7).astype(np.float32)))
        return np.stack([timestep.observation for timestep in timesteps])

    first, second = episode(60), episode(1)
    environment.close()
    model = DynamicsModel(tiny(task=task), observation_size=first.shape[1], action_size=7)
    np.testing.assert_array_equal(np.ptp(first[:, steady], axis=0), 0)
    model.ensemble.normalise_by(model.inputs(first, np.zeros([61, 7], np.float32)))
    entering = (model.inputs(second, np.zeros([2, 7], np.float32)) - model.ensemble.input_mean) / (
        model.ensemble.input_stddev
    )
    moved = second[:, steady] - first[0, steady]
    np.testing.assert_allclose(entering[:, steady], moved, atol=1e-6)
    assert np.abs(entering).max() < 100


def test_the_gaussian_loss_is_the_papers():
    ensemble = make()
    inputs, targets = tf.ones([3, 4, 5]), tf.random.stateless_normal([3, 4, 3], [0, 1])
    prediction = ensemble(inputs)
    mean, variance = prediction.mean().numpy(), prediction.variance().numpy()
    expected = ((targets - mean) ** 2 / variance + np.log(variance)).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(losses.prediction_loss(prediction, targets), expected, rtol=1e-4)


def test_the_deterministic_loss_is_the_squared_error():
    ensemble = make(probabilistic=False)
    inputs, targets = tf.ones([3, 4, 5]), tf.random.stateless_normal([3, 4, 3], [0, 1])
    prediction = ensemble(inputs)
    expected = ((prediction.mean() - targets) ** 2).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(losses.prediction_loss(prediction, targets), expected, rtol=1e-5)
    np.testing.assert_array_equal(prediction.variance(), np.zeros([3, 4, 3]))


def test_penalties_are_sums_over_layers_and_outputs():
    weights = [tf.ones([2, 3, 4]), 2 * tf.ones([2, 4, 1])]
    np.testing.assert_allclose(losses.weight_penalty(weights, [0.1, 0.5]), 0.1 * 12 + 0.5 * 16)
    np.testing.assert_allclose(losses.bound_penalty(tf.ones([3]), -tf.ones([3])), 6.0)


def test_the_mixtures_quantiles_are_uniform_where_it_is_right():
    ensemble = make()
    inputs = tf.repeat(tf.random.stateless_normal([1, 4000, 5], [3, 4]), 3, axis=0)
    prediction = ensemble(inputs)
    # Each outcome is drawn from a member at random: from the mixture.
    samples = prediction.sample(seed=[1, 2]).numpy()
    member = np.random.RandomState(0).randint(3, size=4000)
    outcomes = tf.constant(samples[member, np.arange(4000)])
    quantiles = losses.mixture_quantile(prediction, outcomes).numpy()
    np.testing.assert_allclose(np.quantile(quantiles, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.03)


@pytest.mark.parametrize("task", ["differences", "cartpole"])
def test_targets_are_what_advance_takes_back(task: str):
    model = DynamicsModel(tiny(task=task), observation_size=4, action_size=1)
    rng = np.random.RandomState(0)
    observation, following = (tf.constant(rng.normal(size=[6, 4]), tf.float32) for _ in range(2))
    reward = tf.constant(rng.normal(size=6), tf.float32)
    targets = model.targets(observation, following, reward)
    back, paid = model.advance(observation, tf.zeros([6, 1]), targets)
    np.testing.assert_allclose(back, following, atol=1e-6)
    if task == "differences":
        np.testing.assert_allclose(paid, reward, atol=1e-6)


def test_fused_adam_is_adam():
    rng = np.random.RandomState(0)
    variable = tf.Variable(rng.normal(size=[4]), dtype=tf.float32)
    optimizer = Adam([variable], learning_rate=0.1)
    expected, m, v = variable.numpy().astype(np.float64), np.zeros(4), np.zeros(4)
    for t in range(1, 6):
        gradient = rng.normal(size=4)
        optimizer.apply([tf.constant(gradient, tf.float32)])
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        step = 0.1 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        expected -= step * m / (np.sqrt(v) + 1e-8)
    np.testing.assert_allclose(variable, expected, rtol=1e-4)
