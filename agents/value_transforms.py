"""Scales for values and rewards whose size differs from game to game.

h squashes numbers (Pohlen et al. 2018, "Observe and Look Further", proposition A.2); categories
hold a number as a distribution over integers (Schrittwieser et al. 2020, appendix F).
"""

from __future__ import annotations

import tensorflow as tf


def squash(x: tf.Tensor, epsilon: float = 0.001) -> tf.Tensor:
    """h(x) = sign(x)(√(|x| + 1) − 1) + εx, element by element."""
    return tf.sign(x) * (tf.sqrt(tf.abs(x) + 1.0) - 1.0) + epsilon * x


def unsquash(y: tf.Tensor, epsilon: float = 0.001) -> tf.Tensor:
    """The inverse of `squash`, exact: the root of the quadratic that h is, element by element.

    It is written without the difference of near numbers that the textbook form has, which in
    float32 is off by 1e-3 near zero.
    """
    size = tf.abs(y)
    if epsilon == 0:
        return tf.sign(y) * size * (size + 2.0)
    # With u = √(|x| + 1) − 1: εu² + (1 + 2ε)u − |y| = 0, and |x| = u(u + 2).
    b = 1.0 + 2.0 * epsilon
    u = 2.0 * size / (b + tf.sqrt(b * b + 4.0 * epsilon * size))
    return tf.sign(y) * u * (u + 2.0)


def to_categories(x: tf.Tensor, limit: int) -> tf.Tensor:
    """Numbers [...] as distributions [..., 2 · limit + 1] over the integers −limit … limit.

    The two neighbours of a number share its weight so that the mean is the number; numbers beyond
    the limit are clipped to it.
    """
    x = tf.clip_by_value(x, -float(limit), float(limit))
    below = tf.floor(x)
    share = (x - below)[..., None]
    index = tf.cast(below, tf.int32) + limit
    size = 2 * limit + 1
    # Of an index beyond the end one_hot makes zeros; its share is 0 then.
    return (1.0 - share) * tf.one_hot(index, size) + share * tf.one_hot(index + 1, size)


def from_categories(probs: tf.Tensor) -> tf.Tensor:
    """The mean [...] of distributions [..., 2 · limit + 1] over the integers −limit … limit."""
    limit = (probs.shape[-1] - 1) // 2
    return tf.linalg.matvec(probs, tf.range(-limit, limit + 1, dtype=probs.dtype))
