"""Means and deviations of data."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents import replicas

_FLOAT32 = np.finfo(np.float32)
# Deviations up to so many roundings of the largest value are taken for rounding.
_ROUNDINGS = 8.0


def weighted_mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Over the rows of weight 1; its mean over all replicas is over the whole batch's."""
    count = replicas.mean(tf.reduce_sum(weights))
    return tf.math.divide_no_nan(tf.reduce_sum(weights * values), count)


def weighted_moments(values: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance over the whole batch's rows of weight 1."""
    mean = replicas.mean(weighted_mean(values, weights))
    return mean, replicas.mean(weighted_mean(tf.square(values - mean), weights))


def mean_and_scale(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and standard deviation over the rows of values [N, …], float32 [...] both.

    They are summed up in float64: in float32 the mean of N equal numbers is off by some roundings,
    which then pass for a spread. Where nothing moves, that is by no more than the rounding of
    float32 values of that size, the scale is 1: whoever divides by it later meets other values.
    """
    values = tf.cast(values, tf.float64)
    mean = tf.reduce_mean(values, axis=0)
    stddev = tf.sqrt(tf.reduce_mean(tf.square(values - mean), axis=0))
    rounding = _ROUNDINGS * float(_FLOAT32.eps) * tf.reduce_max(tf.abs(values), axis=0)
    constant = stddev <= tf.maximum(rounding, float(_FLOAT32.tiny))
    scale = tf.where(constant, tf.ones_like(stddev), stddev)
    return tf.cast(mean, tf.float32), tf.cast(scale, tf.float32)
