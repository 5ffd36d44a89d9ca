"""The last S observations as one, for agents that see no velocity in a single one."""

from __future__ import annotations

import tensorflow as tf


def empty_stack(batch_size: int | tf.Tensor, size: int, observation: tf.TensorSpec) -> tf.Tensor:
    """What was seen before an episode: zeros [B, S, …]."""
    return tf.zeros([batch_size, size, *observation.shape], observation.dtype)


def push(stack: tf.Tensor, newest: tf.Tensor) -> tf.Tensor:
    """The stack [B, S, …] without its oldest observation, and with the newest [B, …] behind."""
    return tf.concat([stack[:, 1:], newest[:, None]], axis=1)


def stacks_of(before: tf.Tensor, rows: tf.Tensor, starts: tf.Tensor) -> tf.Tensor:
    """The stack that each of many rows is seen by; zeros stand for what is of another episode.

    Args:
      before: [B, S − 1, …], what was seen before the first row, the newest last.
      rows: [B, T, …].
      starts: bool [B, T], rows in which an episode starts.

    Returns:
      [B, T, S, …], the newest last.
    """
    size, length = before.shape[1] + 1, rows.shape[1]
    seen = tf.concat([before, rows], axis=1)
    stacks = tf.stack([seen[:, i : i + length] for i in range(size)], axis=2)
    # An observation k rows back is of this episode unless one started in the k rows since.
    started = tf.cumsum(tf.cast(starts, tf.int32), axis=1)
    padded = tf.pad(started, [[0, 0], [size - 1, 0]])
    then = tf.stack([padded[:, i : i + length] for i in range(size)], axis=2)
    known = tf.equal(then, started[:, :, None])
    known = tf.reshape(known, tf.concat([tf.shape(known), [1] * (rows.shape.rank - 2)], axis=0))
    return tf.where(known, stacks, tf.zeros([], stacks.dtype))


def into_channels(stack: tf.Tensor) -> tf.Tensor:
    """A stack [B, S, …, C] as one observation [B, …, S · C], the newest one's channels last."""
    rank = stack.shape.rank
    order = [0, *range(2, rank - 1), 1, rank - 1]
    moved = tf.transpose(stack, order)  # [B, …, S, C]
    shape = tf.concat([tf.shape(moved)[:-2], [stack.shape[1] * stack.shape[-1]]], axis=0)
    merged = tf.reshape(moved, shape)
    return tf.ensure_shape(merged, [*moved.shape[:-2], stack.shape[1] * stack.shape[-1]])
