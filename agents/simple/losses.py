"""What SimPLe's model is made to predict, and by how much it fails; pure functions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from agents.shapes import check_same_shape


def pixel_classes(frames: tf.Tensor, levels: int) -> tf.Tensor:
    """Bytes [...] → int32 [...], the nearest of `levels` values from 0 to 255."""
    numbers = tf.cast(frames, tf.float32)
    return tf.cast(tf.round(numbers * ((levels - 1) / 255.0)), tf.int32)


def pixels_of(classes: tf.Tensor, levels: int) -> tf.Tensor:
    """The way back: int32 [...] → bytes [...]."""
    return tf.cast(tf.round(tf.cast(classes, tf.float32) * (255.0 / (levels - 1))), tf.uint8)


def clipped_cross_entropy(logits: tf.Tensor, classes: tf.Tensor, cutoff: float) -> tf.Tensor:
    """max(−log p(pixel), C), a mean over the pixels (paper, section 4, "Clipped loss").

    Where the model is sure enough of a pixel nothing pushes it further, so that its strength goes
    to what is small and moves.

    Args:
      logits: [N, H, W, C, L].
      classes: int32 [N, H, W, C].
      cutoff: C, nats.

    Returns:
      [N].
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits)
    return _mean_of_image(tf.maximum(losses, cutoff))


def clipped_squared_error(values: tf.Tensor, frames: tf.Tensor, cutoff: float) -> tf.Tensor:
    """max((value − pixel)², C), a mean over the pixels: values and bytes [N, H, W, C] → [N]."""
    check_same_shape(values=values, frames=frames)
    errors = tf.square(values - tf.cast(frames, tf.float32))
    return _mean_of_image(tf.maximum(errors, cutoff))


def reward_classes(rewards: tf.Tensor, values: Sequence[float]) -> tf.Tensor:
    """Rewards [...] → int32 [...], which of the values is nearest."""
    distances = tf.abs(rewards[..., None] - tf.constant(values, tf.float32))
    return tf.argmin(distances, axis=-1, output_type=tf.int32)


def discretised(
    numbers: tf.Tensor, noise: tf.Tensor | None = None, flips: tf.Tensor | None = None
) -> tf.Tensor:
    """Numbers → bits, −1 or 1, whose gradient is that of tanh (straight-through).

    Args:
      numbers: [..., bits].
      noise: of the same shape, added before the sign is taken; None: none.
      flips: bool of the same shape, which bits are turned then; None: none.
    """
    squashed = tf.tanh(numbers if noise is None else numbers + noise)
    bits = squashed + tf.stop_gradient(signs(squashed) - squashed)
    return bits if flips is None else tf.where(flips, -bits, bits)


def signs(numbers: tf.Tensor) -> tf.Tensor:
    """−1 or 1; of 0 it is −1."""
    return tf.where(numbers > 0, 1.0, -1.0)


def groups_of(bits: tf.Tensor, size: int) -> tf.Tensor:
    """Bits [N, bits] → int32 [N, bits / size]: of each `size` of them a number, lowest first."""
    parts = tf.reshape(bits, [-1, bits.shape[-1] // size, size])
    return tf.reduce_sum(
        tf.where(parts > 0, tf.constant(2 ** np.arange(size), tf.int32), 0), axis=-1
    )


def bits_of(groups: tf.Tensor, size: int) -> tf.Tensor:
    """The way back for one group: int32 [N] → bits [N, size], −1 or 1."""
    table = (np.arange(2**size)[:, None] >> np.arange(size)) & 1
    return tf.gather(tf.constant(2.0 * table - 1.0, tf.float32), groups)


def ramp(updates: tf.Tensor, warmup: int, most: float) -> tf.Tensor:
    """Rises from 0 to `most` linearly over so many updates, and stays."""
    return most * tf.minimum(tf.cast(updates, tf.float32) / warmup, 1.0)


def _mean_of_image(losses: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(losses, axis=[1, 2, 3])
