"""From a search's visits to a move: the temperature, and the draw."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def temperature(
    temperatures: Sequence[float],
    until_updates: Sequence[int],
    until_move: int | None,
    updates: tf.Tensor,
    moves: tf.Tensor,
) -> tf.Tensor:
    """The temperature [B] after so many updates, at so many moves [B] into a game.

    Args:
      temperatures: the first one holds until the first number of updates is reached, and so on.
      until_updates: one fewer.
      until_move: from there on it is 0; None: never.
      updates: of the network so far, a scalar.
      moves: int32 [B].
    """
    passed = tf.reduce_sum(tf.cast(updates >= tf.constant(until_updates, tf.int32), tf.int32))
    now = tf.gather(tf.constant(temperatures, tf.float32), passed)
    if until_move is None:
        return tf.fill(tf.shape(moves), now)
    return tf.where(moves < until_move, now, 0.0)


def draw(weights: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Draws actions int32 [B] by weights ** (1 / temperature); at 0 the greatest weight's.

    Args:
      weights: shares of the visits [B, A].
      temperature: [B].
      seed: int32 [2].
    """
    logits = tf.math.log(weights)  # −∞ of what was not visited: never drawn, however hot.
    logits -= tf.reduce_max(logits, axis=1, keepdims=True)
    # At temperature 0 all but the most visited are out of reach.
    logits /= tf.maximum(temperature[:, None], 1e-30)
    return tf.random.stateless_categorical(logits, 1, seed, tf.int32)[:, 0]
