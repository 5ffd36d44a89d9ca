"""Othello in plain TensorFlow."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


class Othello:
    """Reversi on `size` rows; the last action, to pass, is legal where no other is.

    The game is over when neither player can place a disc; who has more has won.
    """

    def __init__(self, size: int) -> None:
        self._cells = size**2
        self._rays = _rays(size)

    def legal(self, own: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        """Cells whose disc would turn others, or to pass: [B, C] each to [B, C + 1]."""
        places = self._places(own, other)
        return tf.concat([places, ~tf.reduce_any(places, axis=1, keepdims=True)], axis=1)

    def play(
        self, own: tf.Tensor, other: tf.Tensor, action: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Both players' discs [B, C] after the action [B]."""
        rays = tf.gather(self._rays, tf.minimum(action, self._cells - 1))  # [B, 8, size - 1]
        turned = _turned(*(_on_rays(discs, rays, batch_dims=1) for discs in (own, other)))
        turned &= (action < self._cells)[:, None, None]
        cells = tf.one_hot(rays, self._cells, True, False)  # [B, 8, size - 1, C]
        turned = tf.reduce_any(cells & turned[..., None], axis=[1, 2])
        return own | tf.one_hot(action, self._cells, True, False) | turned, other & ~turned

    def result(self, own: tf.Tensor, other: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Whether it is over, and the sign of what the own discs, [B, C], are ahead by."""
        places = self._places(own, other) | self._places(other, own)
        ahead = tf.cast(own, tf.float32) - tf.cast(other, tf.float32)
        return ~tf.reduce_any(places, axis=1), tf.sign(tf.reduce_sum(ahead, axis=1))

    def _places(self, own, other):
        turned = _turned(*(_on_rays(discs, self._rays, axis=1) for discs in (own, other)))
        return tf.reduce_any(turned, axis=[2, 3]) & ~(own | other)


def _on_rays(discs: tf.Tensor, rays: tf.Tensor, **where: int) -> tf.Tensor:
    """Which cells of rays [..., 8, size - 1] have a disc of `discs`, bool [B, C]: as float32."""
    return tf.gather(tf.pad(tf.cast(discs, tf.float32), [[0, 0], [0, 1]]), rays, **where)


def _turned(own: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Which cells of rays, nearest first, are others' discs up to an own one: [..., size - 1]."""
    run = tf.math.cumprod(others, axis=-1)
    before = tf.math.cumprod(others, axis=-1, exclusive=True)
    enclosed = tf.reduce_any((before * own)[..., 1:] > 0, axis=-1, keepdims=True)
    return (run > 0) & enclosed


def _rays(size: int) -> np.ndarray:
    """The cells that lie in each direction of each, nearest first: int32 [C, 8, size - 1].

    Behind the edge there is cell C, which is always empty.
    """
    rays = np.full([size, size, 8, size - 1], size**2, np.int32)
    ways = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
    for row in range(size):
        for column in range(size):
            for way, (down, right) in enumerate(ways):
                for steps in range(1, size):
                    y, x = row + steps * down, column + steps * right
                    if 0 <= y < size and 0 <= x < size:
                        rays[row, column, way, steps - 1] = y * size + x
    return rays.reshape(size**2, 8, size - 1)
