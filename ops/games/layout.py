"""A state in memory, the same for every game: S bytes an element, little-endian.

    0  moves played, two bytes           4      the first player's stones, C bytes
    2  how it stands, below              4 + C  the second player's stones, C bytes
    3  passes in a row (Go)              …      zeros up to a multiple of 8
                                         …      Go: hashes of earlier boards, 8 bytes each

Bit k of a stone's byte says that it stood there k moves ago, so that a cell holds the last eight
boards. Who is to move follows from the number of moves.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ops.games.options import Options

STATUS, PASSES, BOARDS = 2, 3, 4
GOING, FIRST_WON, SECOND_WON, DRAWN = range(4)


class Unpacked(NamedTuple):
    """moves int32 [B], status uint8 [B], first, second uint8 [B, C]: stones, a bit a board."""

    moves: tf.Tensor
    status: tf.Tensor
    first: tf.Tensor
    second: tf.Tensor

    @property
    def over(self) -> tf.Tensor:
        """bool [B]."""
        return self.status != GOING

    @property
    def second_moves(self) -> tf.Tensor:
        """Whether the second player is to move: bool [B]."""
        return self.moves % 2 == 1

    def by_turn(self) -> tuple[tf.Tensor, tf.Tensor]:
        """The stones of the player to move and the other's: uint8 [B, C] each."""
        turned = self.second_moves[:, None]
        own = tf.where(turned, self.second, self.first)
        return own, tf.where(turned, self.first, self.second)


def hashes_at(options: Options) -> int:
    """Where the stones end and, in Go, the hashes begin."""
    return -(-(BOARDS + 2 * options.cells) // 8) * 8


def state_size(options: Options) -> int:
    """S."""
    return hashes_at(options) + 8 * options.num_hashes


def initial(options: Options) -> np.ndarray:
    """The state that a game begins with: uint8 [S]."""
    state = np.zeros(state_size(options), np.uint8)
    if options.name == "othello":
        low, high = options.height // 2 - 1, options.height // 2
        stones = state[BOARDS : BOARDS + 2 * options.cells].reshape(2, options.height, -1)
        stones[0, low, high] = stones[0, high, low] = 1
        stones[1, low, low] = stones[1, high, high] = 1
    return state


def unpack(state: tf.Tensor, options: Options) -> Unpacked:
    """The parts of states [B, S]."""
    low, high = tf.cast(state[:, 0], tf.int32), tf.cast(state[:, 1], tf.int32)
    first, second = (
        state[:, begin : begin + options.cells] for begin in (BOARDS, BOARDS + options.cells)
    )
    return Unpacked(low + 256 * high, state[:, STATUS], first, second)


def pack(parts: Unpacked, options: Options) -> tf.Tensor:
    """States [B, S] of a game without passes to count and hashes."""
    header = tf.stack(
        [
            tf.cast(parts.moves % 256, tf.uint8),
            tf.cast(parts.moves // 256, tf.uint8),
            parts.status,
            tf.zeros_like(parts.status),
        ],
        axis=1,
    )
    rest = state_size(options) - BOARDS - 2 * options.cells
    return tf.pad(tf.concat([header, parts.first, parts.second], axis=1), [[0, 0], [0, rest]])


def stones(history: tf.Tensor) -> tf.Tensor:
    """Where stones stand now: uint8 [...] of bits to bool [...]."""
    return tf.bitwise.bitwise_and(history, tf.ones([], tf.uint8)) == 1
