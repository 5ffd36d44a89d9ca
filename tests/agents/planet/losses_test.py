from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.planet import losses
from agents.planet.networks import LatentState
from tests.agents.planet import tiny


def kl(q: LatentState, p: LatentState) -> np.ndarray:
    """KL[q ‖ p] of diagonal Gaussians in closed form and float64, summed over the last axis."""
    q_mean, q_stddev, p_mean, p_stddev = (
        np.asarray(values, np.float64) for values in (q.mean, q.stddev, p.mean, p.stddev)
    )
    terms = np.log(p_stddev / q_stddev) - 0.5
    terms += (q_stddev**2 + (q_mean - p_mean) ** 2) / (2 * p_stddev**2)
    return terms.sum(axis=-1)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_divergence_is_the_closed_form_raised_to_the_free_nats(kind: str):
    dynamics, inputs = tiny.dynamics_and_sequence(kind, seed=11)
    posterior, prior = dynamics.observe(**inputs)
    expected = kl(posterior, prior)
    np.testing.assert_allclose(losses.divergence(posterior, prior, 0.0), expected, rtol=1e-3)
    free_nats = float(np.median(expected))
    actual = losses.divergence(posterior, prior, free_nats)
    np.testing.assert_allclose(actual, np.maximum(expected, free_nats), rtol=1e-3)


def test_below_the_free_nats_nothing_is_pushed():
    mean = tf.Variable([[0.1, 0.0], [3.0, 0.0]])  # KL 0.005 and 4.5 to the standard normal.
    zeros, ones = tf.zeros([2, 2]), tf.ones([2, 2])
    with tf.GradientTape() as tape:
        q, p = LatentState(zeros, mean, mean, ones), LatentState(zeros, zeros, zeros, ones)
        total = tf.reduce_sum(losses.divergence(q, p, 3.0))
    np.testing.assert_allclose(tape.gradient(total, mean), [[0.0, 0.0], [3.0, 0.0]], atol=1e-6)


def overshoot(kind: str, distance: int, free_nats: float = 0.0):
    dynamics, inputs = tiny.dynamics_and_sequence(kind, seed=12)
    posterior, _ = dynamics.observe(**inputs)
    actions = inputs["previous_action"]
    rng = np.random.RandomState(13)
    noise = tf.constant(rng.normal(size=[distance, *posterior.mean.shape]), tf.float32)
    arguments = (dynamics, posterior, actions, noise, distance, free_nats)
    return arguments, losses.overshooting_divergences(*arguments)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_overshooting_equals_a_double_loop_over_start_and_distance(kind: str):
    (dynamics, posterior, actions, noise, distance, _), actual = overshoot(kind, distance=4)
    assert [values.shape for values in actual] == [(2, 3), (2, 2), (2, 1)]
    for start in range(5):
        state = tiny.at(posterior, start)
        for d in range(1, min(distance, 4 - start) + 1):
            t = start + d
            state = dynamics.img_step(state, actions[:, t], noise[d - 1][:, t])
            if d > 1:
                expected = kl(tiny.at(posterior, t), state)
                np.testing.assert_allclose(actual[d - 2][:, start], expected, rtol=2e-3)


def test_a_distance_of_one_leaves_the_plain_bound():
    assert overshoot("rssm", distance=1)[1] == []


def test_overshooting_has_free_nats_at_every_distance():
    plain, raised = (overshoot("rssm", 3, free_nats)[1] for free_nats in (0.0, 1e3))
    assert all(np.all(values < 1e3) for values in plain)
    assert all(np.all(values == 1e3) for values in raised)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_beyond_one_step_the_gradient_reaches_the_start_and_not_the_target(kind: str):
    (dynamics, posterior, actions, noise, *_), _ = overshoot(kind, distance=3)
    with tf.GradientTape() as tape:
        tape.watch(list(posterior))
        divergences = losses.overshooting_divergences(
            dynamics, posterior, actions, noise, distance=3, free_nats=0.0
        )
        total = tf.add_n([tf.reduce_sum(values) for values in divergences])
    gradients = LatentState(*tape.gradient(total, list(posterior)))
    assert gradients.mean is None and gradients.stddev is None  # What targets are compared by.
    start = np.abs(gradients.stochastic).sum(axis=(0, 2))
    assert np.all(start[:3] > 0), "steps 0 to 2 begin a rollout that is compared"
    np.testing.assert_array_equal(start[3:], 0), "steps 3 and 4 are targets alone"


def test_overshooting_mean_weighs_each_distance_by_its_beta():
    rng = np.random.RandomState(14)
    divergences = [rng.uniform(0, 5, [2, n]).astype(np.float32) for n in (5, 3, 2)]
    weights = [1.0, 0.5, 0.25]
    expected = sum(w * values.sum(axis=1) for w, values in zip(weights, divergences, strict=True))
    actual = losses.overshooting_mean([tf.constant(values) for values in divergences], weights)
    np.testing.assert_allclose(actual, expected / (5 * 3), rtol=1e-5)
    alone = losses.overshooting_mean([tf.constant(divergences[0])], [1.0])
    np.testing.assert_allclose(alone, divergences[0].mean(axis=1), rtol=1e-5)


def test_log_likelihoods_are_those_of_unit_gaussians():
    rng = np.random.RandomState(15)
    image, mean = rng.normal(size=[2, 3, 4, 4, 3]).astype(np.float32)
    constant = 0.5 * np.log(2 * np.pi)
    expected = (-0.5 * (image - mean) ** 2 - constant).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(losses.image_log_likelihood(image, mean), expected, rtol=1e-4)
    reward, predicted = rng.normal(size=[2, 2, 3]).astype(np.float32)
    known = np.array([[False, True, True], [True, False, True]])
    expected = np.where(known, -0.5 * (reward - predicted) ** 2 - constant, 0.0)
    actual = losses.reward_log_likelihood(reward, predicted, known)
    np.testing.assert_allclose(actual, expected, rtol=1e-4)
