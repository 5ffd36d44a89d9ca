"""Protects the head: streams that add up, and noise that is what the paper says."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.q_learning.heads import NoisyLinear, QHead


def test_the_streams_add_up_action_by_action():
    head, features = QHead((5,), 3, outputs=4, dueling=True), tf.random.normal([2, 7, 6], seed=0)
    numbers = head(features)
    assert numbers.shape == (2, 7, 3, 4)
    value = head._value(features, None)
    np.testing.assert_allclose(tf.reduce_mean(numbers, axis=2), value, atol=1e-5)


def test_a_noisy_layer_is_the_one_written_out():
    layer, inputs = NoisyLinear(3, 0.5, "noisy"), tf.random.normal([4, 5], seed=1)
    layer(inputs, None)
    for variable in layer.trainable_variables:
        variable.assign(tf.random.normal(variable.shape, seed=2))
    seed = tf.constant([3, 4])
    normal = tf.random.stateless_normal([8], seed).numpy()
    f = np.sign(normal) * np.sqrt(np.abs(normal))
    weight = layer._weight + layer._weight_noise * np.outer(f[:5], f[5:])
    bias = layer._bias + layer._bias_noise * f[5:]
    np.testing.assert_allclose(layer(inputs, seed), inputs @ weight + bias, rtol=1e-4, atol=1e-5)
    plain = inputs @ layer._weight + layer._bias
    np.testing.assert_allclose(layer(inputs, None), plain, rtol=1e-5, atol=1e-6)


def test_noise_begins_at_its_paper_size_and_learns():
    layer, inputs = NoisyLinear(3, 0.5, "noisy"), tf.random.normal([4, 16], seed=1)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(inputs, tf.constant([0, 1])))
    gradients = tape.gradient(total, layer.trainable_variables)
    assert len(gradients) == 4 and all(np.any(gradient != 0) for gradient in gradients)
    np.testing.assert_allclose(layer._weight_noise, 0.5 / 4)
    np.testing.assert_allclose(layer._bias_noise, 0.5 / 4)
    assert np.max(np.abs(layer._weight)) <= 1 / 4


def test_streams_and_layers_draw_apart():
    head, features = QHead((8,), 3, dueling=True, noise=0.5), tf.random.normal([1, 8], seed=0)
    one, again, other = (head(features, tf.constant([0, s])) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other) and np.any(one != head(features))
