"""Protects that a loop along time, as XLA is given it, does what its copies do."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents import unrolling
from agents.networks.recurrent import LSTM
from ops import loader


def test_loop_and_copies_agree_in_values_and_gradients():
    rng, lstm = np.random.RandomState(1), LSTM(5)
    values, starts = rng.normal(size=[3, 7, 4]).astype(np.float32), rng.uniform(size=[3, 7]) < 0.2
    state = [tf.constant(rng.normal(size=[3, 5]), tf.float32) for _ in range(2)]
    lstm(tf.constant(values[:, 0]), *state)

    def both(inputs: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = lstm.unroll(inputs, tf.constant(starts), *state, burn_in=2)
            loss = tf.reduce_sum(tf.square(outputs))
        return outputs, tape.gradient(loss, [inputs, *lstm.trainable_variables])

    graphs = [tf.function(both, autograph=False) for _ in range(2)]
    inputs = tf.constant(values)
    with loader.compilable():
        looped, gradients = graphs[1](inputs)
    outputs, expected = graphs[0](inputs)
    assert outputs.shape == looped.shape == [3, 5, 5]
    np.testing.assert_allclose(looped, outputs, atol=1e-6)
    for mine, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    assert not np.any(gradients[0][:, :2]) and np.all(np.any(gradients[0][:, 2:], axis=-1))
    traced = [graph.get_concrete_function(inputs).graph for graph in graphs]
    looped = ["TensorListReserve" in {op.type for op in g.get_operations()} for g in traced]
    assert looped == [False, True]


def test_steps_are_told_their_rows_and_hand_on_their_state():
    rows = {"a": tf.reshape(tf.range(12), [2, 6]), "b": tf.ones([2, 6], tf.int32)}
    step = lambda total, row: (total + row["a"] * row["b"], (total, row["a"]))  # noqa: E731
    zeros = tf.zeros([2], tf.int32)
    for way in (unrolling.unroll, unrolling.loop):
        last, (totals, seen) = way(step, zeros, rows, (zeros, zeros))
        np.testing.assert_array_equal(last, [15, 51])
        np.testing.assert_array_equal(totals[:, -1], [10, 40])
        np.testing.assert_array_equal(seen, rows["a"])
