"""The last S observations as one, for agents that see no velocity in a single one."""

from __future__ import annotations

import tensorflow as tf


def empty_stack(batch_size: int | tf.Tensor, size: int, observation: tf.TensorSpec) -> tf.Tensor:
    """What was seen before an episode: zeros [B, S, …]."""
    return tf.zeros([batch_size, size, *observation.shape], observation.dtype)


def push(stack: tf.Tensor, newest: tf.Tensor) -> tf.Tensor:
    """The stack [B, S, …] without its oldest observation, and with the newest [B, …] behind."""
    return tf.concat([stack[:, 1:], newest[:, None]], axis=1)


def into_channels(stack: tf.Tensor) -> tf.Tensor:
    """A stack [B, S, …, C] as one observation [B, …, S · C], the newest one's channels last."""
    rank = stack.shape.rank
    order = [0, *range(2, rank - 1), 1, rank - 1]
    moved = tf.transpose(stack, order)  # [B, …, S, C]
    shape = tf.concat([tf.shape(moved)[:-2], [stack.shape[1] * stack.shape[-1]]], axis=0)
    merged = tf.reshape(moved, shape)
    return tf.ensure_shape(merged, [*moved.shape[:-2], stack.shape[1] * stack.shape[-1]])
