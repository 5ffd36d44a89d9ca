"""Protects the optimisers' arithmetic, against the papers' formulas in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents import optimizers
from agents.optimizers import Adam, Momentum, RMSProp, clipped


def steps(seed: int, count: int = 5) -> list[np.ndarray]:
    print(f"seed {seed}")
    return list(np.random.RandomState(seed).normal(size=[count, 2, 3]).astype(np.float32))


def test_adam_is_the_papers_algorithm_its_epsilon_included():
    variable = tf.Variable(tf.ones([2, 3]))
    optimizer = Adam([variable], 0.1, beta1=0.8, beta2=0.9, epsilon=0.03)
    expected, m, v = np.ones([2, 3]), 0.0, 0.0
    for t, gradient in enumerate(steps(3), start=1):
        rate = 0.1 if t % 2 else 0.05
        optimizer.apply([tf.constant(gradient)], rate)
        m, v = 0.8 * m + 0.2 * gradient, 0.9 * v + 0.1 * gradient**2
        unbiased = m / (1 - 0.8**t), v / (1 - 0.9**t)
        expected -= rate * unbiased[0] / (np.sqrt(unbiased[1]) + 0.03)
        np.testing.assert_allclose(variable, expected, rtol=1e-5)


def test_momentum_accumulates_gradients():
    variable = tf.Variable(tf.ones([2, 3]))
    optimizer = Momentum([variable], 0.1, momentum=0.7)
    expected, velocity = np.ones([2, 3]), 0.0
    for gradient in steps(4):
        optimizer.apply([tf.constant(gradient)])
        velocity = 0.7 * velocity + gradient
        expected -= 0.1 * velocity
        np.testing.assert_allclose(variable, expected, rtol=1e-5)


@pytest.mark.parametrize("centred", [True, False])
def test_rmsprop_is_centred_or_not_and_has_momentum(centred: bool):
    variable = tf.Variable(tf.ones([2, 3]))
    settings = {"decay": 0.9, "momentum": 0.7, "epsilon": 0.03, "centred": centred}
    optimizer = RMSProp([variable], 0.1, **settings)
    expected, mean, square, velocity = np.ones([2, 3]), 0.0, 0.0, 0.0
    for gradient in steps(5):
        optimizer.apply([tf.constant(gradient)])
        mean, square = 0.9 * mean + 0.1 * gradient, 0.9 * square + 0.1 * gradient**2
        moment = square - mean**2 if centred else square
        velocity = 0.7 * velocity + 0.1 * gradient / np.sqrt(moment + 0.03)
        expected -= velocity
        np.testing.assert_allclose(variable, expected, rtol=1e-5)


def test_all_state_is_there_before_the_first_step():
    variable = tf.Variable(tf.ones([2, 3]))
    optimizer = Adam([variable], 0.1)
    assert len(optimizer.variables) >= 3 and int(optimizer.updates) == 0
    np.testing.assert_array_equal(variable, np.ones([2, 3]))


def test_a_row_that_is_gathered_twice_has_one_gradient_in_the_norm():
    table = tf.Variable(tf.ones([3, 1]))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum([[1.0], [2.0], [4.0]] * tf.gather(table, [0, 0, 2]))
    gradients, norm = clipped(optimizers.gradient(tape, loss, [table]), 1.0)
    assert norm == 5.0, "of (1 + 2, 0, 4)"
    np.testing.assert_allclose(gradients[0], [[0.6], [0.0], [0.8]], rtol=1e-6)
