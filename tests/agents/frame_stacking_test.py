"""Protects stacks of frames: their order, and that the newest frame's channels come last."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.frame_stacking import empty_stack, into_channels, push, stacks_of


def test_the_oldest_goes_and_the_newest_is_last():
    stack = empty_stack(2, 3, tf.TensorSpec([1], tf.uint8))
    for t in range(1, 5):
        stack = push(stack, tf.fill([2, 1], tf.constant(t, tf.uint8)))
    np.testing.assert_array_equal(stack[..., 0], [[2, 3, 4], [2, 3, 4]])


def test_many_rows_stacks_end_with_their_episode():
    rows, before = np.arange(1, 7)[None, :, None], tf.constant([[[-2], [-1]]], tf.int64)
    starts = tf.constant([[False, False, True, False, False, False]])
    found = stacks_of(before, tf.constant(rows), starts)[0, :, :, 0].numpy().tolist()
    assert found == [[-2, -1, 1], [-1, 1, 2], [0, 0, 3], [0, 3, 4], [3, 4, 5], [4, 5, 6]]


def test_frames_become_channels_in_their_order():
    rng = np.random.RandomState(0)
    frames = rng.randint(0, 256, [2, 3, 4, 5, 2])
    merged = into_channels(tf.constant(frames))
    expected = np.concatenate([frames[:, s] for s in range(3)], axis=-1)
    np.testing.assert_array_equal(merged, expected)
    vectors = rng.normal(size=[2, 3, 4])
    np.testing.assert_array_equal(into_channels(tf.constant(vectors)), vectors.reshape([2, 12]))
