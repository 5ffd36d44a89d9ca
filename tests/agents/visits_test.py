"""Protects how a move is drawn from visits."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents import visits


@pytest.mark.parametrize(("updates", "expected"), [(0, 1.0), (9, 1.0), (10, 0.5), (20, 0.25)])
def test_the_temperature_falls_with_the_updates(updates, expected):
    found = visits.temperature((1.0, 0.5, 0.25), (10, 20), None, tf.constant(updates), tf.range(2))
    np.testing.assert_array_equal(found, [expected] * 2)


def test_it_is_zero_from_some_move_on():
    found = visits.temperature((0.5,), (), 2, tf.constant(0), tf.range(4))
    np.testing.assert_array_equal(found, [0.5, 0.5, 0.0, 0.0])


def test_draws_follow_weights_to_the_power_of_one_over_the_temperature():
    weights = np.tile(np.float32([0.6, 0.3, 0.1, 0.0]), [9000, 1])
    temperature = np.repeat(np.float32([1.0, 0.5, 0.0]), 3000)
    actions = visits.draw(tf.constant(weights), tf.constant(temperature), tf.constant([1, 2]))
    for row, exponent in enumerate((1.0, 2.0)):
        shares = np.bincount(actions[3000 * row : 3000 * row + 3000], minlength=4) / 3000
        expected = weights[0] ** exponent / np.sum(weights[0] ** exponent)
        np.testing.assert_allclose(shares, expected, atol=0.03)
    assert np.all(actions[6000:] == 0)
