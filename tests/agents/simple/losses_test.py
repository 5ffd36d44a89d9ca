"""Protects what SimPLe's model is judged by: against NumPy, on random cases."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.simple import losses


def softmax(x: np.ndarray) -> np.ndarray:
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("cutoff", [0.0, 0.5, 3.0])
def test_the_clipped_cross_entropy_is_the_greater_of_loss_and_cutoff_at_each_pixel(rng, cutoff):
    logits = rng.normal(size=[3, 4, 5, 2, 6], scale=2).astype(np.float32)
    classes = rng.randint(0, 6, [3, 4, 5, 2]).astype(np.int32)
    chosen = np.take_along_axis(softmax(logits), classes[..., None], axis=-1)[..., 0]
    expected = np.maximum(-np.log(chosen), cutoff).mean(axis=(1, 2, 3))
    found = losses.clipped_cross_entropy(tf.constant(logits), tf.constant(classes), cutoff)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_pixel_below_the_cutoff_pushes_nothing(rng):
    logits = tf.constant(rng.normal(size=[2, 3, 3, 1, 4], scale=3), tf.float32)
    classes = tf.constant(rng.randint(0, 4, [2, 3, 3, 1]), tf.int32)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = losses.clipped_cross_entropy(logits, classes, 0.7)
    gradient = np.abs(tape.gradient(loss, logits)).max(axis=-1)
    single = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits).numpy()
    assert 0 < np.sum(single < 0.7) < single.size
    np.testing.assert_array_equal(gradient > 0, single > 0.7)


def test_the_clipped_squared_error_is_of_pixels_as_they_are(rng):
    values = rng.uniform(0, 255, [3, 4, 5, 2]).astype(np.float32)
    frames = rng.randint(0, 256, [3, 4, 5, 2]).astype(np.uint8)
    frames[0] = np.round(values[0])
    expected = np.maximum((values - frames.astype(np.float32)) ** 2, 10.0).mean(axis=(1, 2, 3))
    found = losses.clipped_squared_error(tf.constant(values), tf.constant(frames), 10.0)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert found[0] == 10.0


@pytest.mark.parametrize("levels", [2, 4, 256])
def test_levels_are_pixels_and_back(levels):
    classes = tf.range(levels)
    pixels = losses.pixels_of(classes, levels)
    assert pixels.dtype == tf.uint8 and pixels[0] == 0 and pixels[-1] == 255
    np.testing.assert_array_equal(losses.pixel_classes(pixels, levels), classes)
    assert losses.pixel_classes(tf.constant([3], tf.uint8), levels) == (3 if levels == 256 else 0)


def test_a_reward_is_the_nearest_class():
    rewards = tf.constant([[-7.0, -0.4], [0.6, 30.0]])
    np.testing.assert_array_equal(losses.reward_classes(rewards, (-1, 0, 1)), [[0, 1], [2, 2]])


def test_bits_are_signs_with_the_gradient_of_tanh(rng):
    numbers = tf.constant(rng.normal(size=[5, 8]), tf.float32)
    noise = tf.constant(rng.normal(size=[5, 8]), tf.float32)
    flips = tf.constant(rng.randint(0, 2, [5, 8]), tf.bool)
    with tf.GradientTape() as tape:
        tape.watch(numbers)
        bits = losses.discretised(numbers, noise, flips)
    moved = numbers + noise
    np.testing.assert_array_equal(bits, np.where(flips, -1, 1) * np.sign(moved))
    expected = np.where(flips, -1, 1) * (1 - np.tanh(moved) ** 2)
    np.testing.assert_allclose(tape.gradient(bits, numbers), expected, atol=1e-5)
    np.testing.assert_array_equal(losses.discretised(numbers), np.sign(numbers))


def test_groups_are_bits_and_back(rng):
    bits = rng.choice([-1.0, 1.0], [7, 12]).astype(np.float32)
    groups = losses.groups_of(tf.constant(bits), 4)
    expected = ((bits.reshape([7, 3, 4]) > 0) * [1, 2, 4, 8]).sum(axis=-1)
    np.testing.assert_array_equal(groups, expected)
    back = [losses.bits_of(groups[:, i], 4) for i in range(3)]
    np.testing.assert_array_equal(tf.concat(back, axis=-1), bits)


def test_a_ramp_rises_and_stays():
    found = [float(losses.ramp(tf.constant(n), 10, 0.5)) for n in (0, 5, 10, 99)]
    assert found == [0.0, 0.25, 0.5, 0.5]
