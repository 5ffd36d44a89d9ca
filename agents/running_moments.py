"""Mean and deviation of all that was seen so far, in variables that are saved with the network."""

from __future__ import annotations

from collections.abc import Sequence

import sonnet as snt
import tensorflow as tf

from agents import replicas


class RunningMoments(snt.Module):
    """Moments of rows, batch by batch (Chan, Golub and LeVeque 1979: the parallel form).

    Sums are kept in float64: in float32 a million rows drown the next one.

    Args:
      shape: of a row.
    """

    def __init__(self, shape: Sequence[int], name: str = "running_moments") -> None:
        super().__init__(name=name)
        zeros = tf.zeros(shape, tf.float64)
        self.count = tf.Variable(tf.zeros([], tf.float64), trainable=False, name="count")
        self.mean = tf.Variable(zeros, trainable=False, name="mean")
        self.squares = tf.Variable(zeros, trainable=False, name="squares")

    def add(self, rows: tf.Tensor, weights: tf.Tensor) -> None:
        """Takes in rows [N, …] with weights [N], each 0 or 1, of all replicas."""
        rows, weights = tf.cast(rows, tf.float64), tf.cast(weights, tf.float64)
        weights = tf.reshape(weights, [-1] + [1] * (rows.shape.rank - 1))
        added, summed = replicas.total((tf.reduce_sum(weights), tf.reduce_sum(weights * rows, 0)))
        mean = tf.math.divide_no_nan(summed, added)
        squares = replicas.total(tf.reduce_sum(weights * tf.square(rows - mean), axis=0))
        count, change = self.count + added, mean - self.mean
        share = tf.math.divide_no_nan(added, count)
        self.squares.assign_add(squares + tf.square(change) * self.count * share)
        self.mean.assign_add(change * share)
        self.count.assign(count)

    @property
    def stddev(self) -> tf.Tensor:
        """Float32 […]; 1 where nothing moved yet."""
        variance = tf.math.divide_no_nan(self.squares, self.count)
        least = tf.constant(1e-8, tf.float64)
        return tf.cast(tf.where(variance > least, tf.sqrt(variance), 1.0), tf.float32)

    def normalise(self, values: tf.Tensor, most: float) -> tf.Tensor:
        """Values [N, …] less the mean, by the deviation, cut to [−most, most]."""
        scaled = (values - tf.cast(self.mean, tf.float32)) / self.stddev
        return tf.clip_by_value(scaled, -most, most)
