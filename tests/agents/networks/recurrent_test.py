from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.networks.mlp import ScalarHead
from agents.networks.recurrent import GRU, LSTM


def test_the_gru_equals_its_formulas_in_float64():
    rng = np.random.RandomState(3)
    n, x_size, size = 4, 3, 5
    gru = GRU(size)
    inputs, state = rng.normal(size=[n, x_size]), rng.normal(size=[n, size])
    gru(tf.constant(inputs, tf.float32), tf.constant(state, tf.float32))
    for variable in gru.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    actual = gru(tf.constant(inputs, tf.float32), tf.constant(state, tf.float32))

    w, b = (v.numpy().astype(np.float64) for v in (gru.input_gates.w, gru.input_gates.b))
    u, d = (v.numpy().astype(np.float64) for v in (gru.recurrent_gates.w, gru.recurrent_gates.b))
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    x_z, x_r, x_c = np.split(inputs @ w + b, 3, axis=1)
    h_z, h_r, h_c = np.split(state @ u + d, 3, axis=1)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    candidate = np.tanh(x_c + r * h_c)
    np.testing.assert_allclose(actual, (1 - z) * candidate + z * state, atol=1e-5)


def test_the_lstm_equals_its_formulas_in_float64():
    rng = np.random.RandomState(4)
    n, x_size, size = 4, 3, 5
    lstm = LSTM(size)
    given = [rng.normal(size=[n, width]) for width in (x_size, size, size)]
    lstm(*(tf.constant(x, tf.float32) for x in given))
    for variable in lstm.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    hidden, cell = lstm(*(tf.constant(x, tf.float32) for x in given))

    layers = (lstm.input_gates.w, lstm.input_gates.b, lstm.recurrent_gates.w)
    w, b, u = (v.numpy().astype(np.float64) for v in layers)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    i, f, o, g = np.split(given[0] @ w + b + given[1] @ u, 4, axis=1)
    expected = sigmoid(f + 1) * given[2] + sigmoid(i) * np.tanh(g)
    np.testing.assert_allclose(cell, expected, atol=1e-5)
    np.testing.assert_allclose(hidden, sigmoid(o) * np.tanh(expected), atol=1e-5)


def test_a_scalar_head_keeps_leading_dimensions():
    head = ScalarHead((4, 4), "elu", name="reward")
    assert head(tf.zeros([2, 3, 5])).shape == (2, 3)
