"""Tic-tac-toe and connect four in plain TensorFlow."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


class InARow:
    """Who has `length` stones in a row has won; a full board is a draw.

    With `falling` an action is a column, whose lowest empty cell is taken; row 0 is the lowest.
    """

    def __init__(self, height: int, width: int, length: int, falling: bool) -> None:
        self._height, self._width, self._falling = height, width, falling
        self._lines = _lines(height, width, length)

    def legal(self, own: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """Where a stone may go: [B, C] each to [B, A]."""
        empty = ~(own | other)
        return empty[:, -self._width :] if self._falling else empty

    def play(
        self, own: tf.Tensor, other: tf.Tensor, action: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Both players' stones [B, C] after the action [B]."""
        cell = self._landing(own | other, action) if self._falling else action
        return own | tf.one_hot(cell, own.shape[1], True, False), other

    def result(self, own: tf.Tensor, other: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Whether it is over, and 1 where the own stones, [B, C], have won."""
        rows = tf.gather(own, self._lines, axis=1)  # [B, L, length]
        won = tf.reduce_any(tf.reduce_all(rows, axis=2), axis=1)
        return won | tf.reduce_all(own | other, axis=1), tf.cast(won, tf.float32)

    def _landing(self, taken, column):
        columns = tf.reshape(taken, [-1, self._height, self._width])
        filled = tf.reduce_sum(tf.cast(columns, tf.int32), axis=1)  # [B, W]
        return column + self._width * tf.gather(filled, column, batch_dims=1)


def _lines(height: int, width: int, length: int) -> np.ndarray:
    """The cells of every row of `length`: int32 [L, length]."""
    cells = np.arange(height * width).reshape(height, width)
    found = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        for row in range(height - down * (length - 1)):
            for column in range(width):
                if 0 <= column + right * (length - 1) < width:
                    steps = np.arange(length)
                    found.append(cells[row + down * steps, column + right * steps])
    return np.stack(found).astype(np.int32)
