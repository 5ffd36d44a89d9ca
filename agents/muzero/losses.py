"""MuZero's losses (paper, equation 1 and appendix G): pure functions of predictions and targets.

Leading dimensions [...] are any; each loss is [...], summed by the learner with its weights.
"""

from __future__ import annotations

import tensorflow as tf

from agents import replicas
from agents.searching.losses import cross_entropy
from agents.shapes import check_same_shape


def number_loss(target: tf.Tensor, raw: tf.Tensor) -> tf.Tensor:
    """Of a value or reward: squared error of numbers [..., 1], else cross-entropy [..., n]."""
    if raw.shape[-1] == 1:
        check_same_shape(target=target, raw=raw)
        return tf.squeeze(tf.square(tf.tanh(raw) - target), axis=-1)
    return cross_entropy(target, raw)


def scale_gradient(values: tf.Tensor, share: float) -> tf.Tensor:
    """`values`, of whose gradient only `share` passes."""
    return share * values + (1.0 - share) * tf.stop_gradient(values)


def step_weights(unroll_steps: int, kind: str) -> list[float]:
    """The weight of each of the K + 1 positions; see `MuZeroConfig.loss_weights`."""
    later = 1.0 / unroll_steps if kind == "unrolled" else 1.0
    return [1.0] + [later] * unroll_steps


def importance_weights(probability: tf.Tensor, table_size: tf.Tensor, exponent: float) -> tf.Tensor:
    """(N · P(i)) ** −β [B] of prioritised replay, scaled so that the greatest is 1."""
    # The greatest of the batch, in logarithms: probabilities may be tiny.
    size = tf.cast(table_size, tf.float32)
    logarithm = -exponent * tf.math.log(size * tf.cast(probability, tf.float32))
    return tf.exp(logarithm - tf.reduce_max(replicas.gathered(logarithm)))
