"""Protects running moments: batch by batch they are those of all rows at once."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from agents.running_moments import RunningMoments


def test_batches_add_up_to_the_moments_of_all_rows_that_count():
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    rng = np.random.RandomState(seed)
    moments, counted = RunningMoments([3]), []
    for size in (5, 1, 40):
        rows = (1000 + rng.normal(size=[size, 3]) * [1e-3, 1, 100]).astype(np.float32)
        weights = rng.randint(0, 2, size).astype(np.float32)
        moments.add(tf.constant(rows), tf.constant(weights))
        counted.append(rows[weights == 1].astype(np.float64))
    counted = np.concatenate(counted)
    assert moments.count == len(counted)
    np.testing.assert_allclose(moments.mean, counted.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(moments.squares / moments.count, counted.var(axis=0), rtol=1e-6)


def test_nothing_seen_and_nothing_moved_leave_values_as_they_are():
    moments = RunningMoments([2])
    values = tf.constant([[3.0, -4.0]])
    np.testing.assert_array_equal(moments.normalise(values, 10.0), values)
    moments.add(tf.fill([4, 2], 0.3), tf.ones([4]))
    np.testing.assert_allclose(moments.normalise(values, 10.0), [[2.7, -4.3]], rtol=1e-6)
    moments.add(tf.zeros([4, 2]), tf.zeros([4]))
    assert moments.count == 4


def test_what_lies_far_out_is_cut():
    moments = RunningMoments([])
    moments.add(tf.constant([-1.0, 1.0]), tf.ones([2]))
    np.testing.assert_allclose(moments.normalise(tf.constant([-99.0, 0.5]), 5.0), [-5.0, 0.5])
