"""Random draws by one seed for all rows, int32 [2], or by one a row, int32 [B, 2].

With a seed a row, row i draws what a batch of that row alone draws with `seed[i]`: what it gets
does not depend on its neighbours. TensorFlow's stateless draws take one seed, so these go row by
row.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """`count` seeds out of one, each of the same shape [2] or [B, 2]."""
    seed = tf.convert_to_tensor(seed)
    split_one = tf.random.experimental.stateless_split
    if seed.shape.rank == 1:
        return tf.unstack(split_one(seed, count))
    spec = tf.TensorSpec([count, 2], seed.dtype)
    seeds = tf.map_fn(lambda one: split_one(one, count), seed, fn_output_signature=spec)
    return tf.unstack(seeds, axis=1)


def uniform(
    shape: tf.Tensor,
    seed: tf.Tensor,
    minval: float | int = 0,
    maxval: float | int | None = None,
    dtype: tf.DType = tf.float32,
) -> tf.Tensor:
    """As `tf.random.stateless_uniform`, of a shape [B, …]."""

    def draw(shape, seed):
        return tf.random.stateless_uniform(shape, seed, minval, maxval, dtype)

    return _drawn(draw, shape, seed, dtype)


def normal(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """As `tf.random.stateless_normal`, of a shape [B, …]."""
    return _drawn(tf.random.stateless_normal, shape, seed, tf.float32)


def categorical(logits: tf.Tensor, seed: tf.Tensor, dtype: tf.DType = tf.int32) -> tf.Tensor:
    """One draw [B] from each row of logits [B, A]."""
    seed = tf.convert_to_tensor(seed)
    if seed.shape.rank == 1:
        return tf.random.stateless_categorical(logits, 1, seed, dtype)[:, 0]

    def draw(row):
        return tf.random.stateless_categorical(row[0][None], 1, row[1], dtype)[0, 0]

    return tf.map_fn(draw, (logits, seed), fn_output_signature=dtype)


def _drawn(
    draw: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
    shape: tf.Tensor,
    seed: tf.Tensor,
    dtype: tf.DType,
) -> tf.Tensor:
    seed = tf.convert_to_tensor(seed)
    if seed.shape.rank == 1:
        return draw(shape, seed)
    one = tf.concat([[1], shape[1:]], axis=0)
    rows = tf.map_fn(lambda seed: draw(one, seed)[0], seed, fn_output_signature=dtype)
    return tf.reshape(rows, shape)
