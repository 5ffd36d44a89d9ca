"""Values come back from their transforms as they went in."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.value_transforms import from_categories, squash, to_categories, unsquash


@pytest.mark.parametrize("epsilon", [0.0, 0.001, 0.1])
def test_unsquash_is_the_exact_inverse(epsilon: float):
    x = np.concatenate([np.linspace(-300, 300, 601), [1e-6, -1e-4, 1e5]]).astype(np.float32)
    back = unsquash(squash(tf.constant(x), epsilon), epsilon)
    np.testing.assert_allclose(back, x, rtol=2e-5, atol=1e-6)


def test_squash_is_the_papers_formula():
    x = np.array([-8.0, 0.0, 3.0])
    expected = [-(3.0 - 1.0) - 0.008, 0.0, (2.0 - 1.0) + 0.003]
    np.testing.assert_allclose(squash(tf.constant(x), 0.001), expected, rtol=1e-6)


def test_a_number_between_two_integers_shares_its_weight():
    np.testing.assert_allclose(
        to_categories(tf.constant([[3.7, -1.0]]), 4),
        [[[0, 0, 0, 0, 0, 0, 0, 0.3, 0.7], [0, 0, 0, 1, 0, 0, 0, 0, 0]]],
        atol=1e-6,
    )


def test_categories_are_distributions_whose_mean_is_the_number():
    x = tf.constant(np.random.RandomState(0).uniform(-10, 10, [3, 5]), tf.float32)
    probs = to_categories(x, 10)
    assert probs.shape == (3, 5, 21)
    np.testing.assert_allclose(tf.reduce_sum(probs, -1), np.ones([3, 5]), rtol=1e-6)
    np.testing.assert_allclose(from_categories(probs), x, atol=1e-5)


@pytest.mark.parametrize("beyond", [5.0, 7.5, -7.5])
def test_numbers_beyond_the_limit_are_clipped_to_it(beyond: float):
    probs = to_categories(tf.constant([beyond]), 5)
    np.testing.assert_allclose(from_categories(probs), [np.clip(beyond, -5, 5)], atol=1e-6)
    np.testing.assert_allclose(tf.reduce_sum(probs), 1.0, atol=1e-6)
