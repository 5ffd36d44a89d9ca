"""Boards turned and mirrored, and with them what is said of their actions (AlphaGo Zero)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import tensorflow as tf

from agents import replicas
from ops.games import layout
from ops.games.options import Options

Symmetries = Literal["none", "mirror", "dihedral"]


def misfit(kind: Symmetries, shape: Sequence[int], num_actions: int) -> str | None:
    """Why a game of boards [H, W, …] and so many actions has no such symmetries; None: it may."""
    height, width = shape[:2]
    if kind == "none":
        return None
    if num_actions not in (width, height * width, height * width + 1):
        return f"{num_actions} actions on {height}×{width} are neither its cells nor its columns"
    if kind == "dihedral" and (height != width or num_actions == width):
        return f"{num_actions} actions on {height}×{width} are not the cells of a square"
    return None


def turned_at_random(
    kind: Symmetries, planes: tf.Tensor, of_actions: Sequence[tf.Tensor], seed: tf.Tensor
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Turns each row by one of the symmetries, all as likely.

    Args:
      kind: `mirror`, left to right; `dihedral`, the eight of a square; `none`.
      planes: [B, H, W, P].
      of_actions: tensors [B, A] of one type each. Actions are cells, row by row, and perhaps a pass
        behind them, or columns.
      seed: int32 [2].

    Returns:
      planes and tensors, turned alike.
    """
    if kind == "none":
        return planes, list(of_actions)
    _, height, width, _ = planes.shape
    bits = _drawn(kind, tf.shape(planes)[0], seed)
    turned = [_of_actions(values, height, width, bits) for values in of_actions]
    return _board(planes, bits), turned


def turned_states(
    kind: Symmetries, states: tf.Tensor, of_actions: tf.Tensor, options: Options, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """As `turned_at_random`, of packed states [B, S] of Go and something of their actions [B, A].

    The hashes of earlier boards stay as they are: what ko forbids is forgotten.
    """
    if kind == "none":
        return states, of_actions
    size, end = options.height, layout.BOARDS + 2 * options.cells
    bits = _drawn(kind, tf.shape(states)[0], seed)
    stones = tf.reshape(states[:, layout.BOARDS : end], [-1, 2, size, size])
    turned = _board(tf.transpose(stones, [0, 2, 3, 1]), bits)
    cells = tf.reshape(tf.transpose(turned, [0, 3, 1, 2]), [-1, 2 * options.cells])
    states = tf.concat([states[:, : layout.BOARDS], cells, states[:, end:]], axis=1)
    return states, _of_actions(of_actions, size, size, bits)


def judged_at_random(
    kind: Symmetries,
    judge: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
    planes: tf.Tensor,
    seed: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Asks about each row turned by one of the symmetries, all as likely.

    Args:
      kind: see `turned_at_random`.
      judge: planes [B, H, W, P] → something of each action [B, A], and values [B].
      planes: [B, H, W, P].
      seed: int32 [2].

    Returns:
      What was said, of the actions as they were before the turn.
    """
    if kind == "none":
        return judge(planes)
    _, height, width, _ = planes.shape
    bits = _drawn(kind, tf.shape(planes)[0], seed)
    of_actions, values = judge(_board(planes, bits))
    return _of_actions(of_actions, height, width, _undoing(bits)), values


def _drawn(kind, batch_size, seed):
    """Which turns each row takes: bool [3, B], see `_board`."""
    bits = replicas.drawn(
        lambda shape: tf.random.stateless_uniform(shape, seed, 0, 2, tf.int32),
        [3, batch_size],
        axis=1,
    )
    bits = bits > 0
    return tf.logical_and(bits, [[True], [False], [False]]) if kind == "mirror" else bits


def _undoing(bits: tf.Tensor) -> tf.Tensor:
    """The turns that take those back: across the diagonal, rows and columns change places."""
    left_right, up_down, diagonal = tf.unstack(bits)
    return tf.stack(
        [
            tf.where(diagonal, up_down, left_right),
            tf.where(diagonal, left_right, up_down),
            diagonal,
        ]
    )


def _board(planes: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """[B, H, W, P]: mirrored left to right, upside down, across the diagonal; bits bool [3, B]."""
    left_right, up_down, diagonal = tf.unstack(bits[:, :, None, None, None])
    planes = tf.where(left_right, tf.reverse(planes, [2]), planes)
    planes = tf.where(up_down, tf.reverse(planes, [1]), planes)
    if planes.shape[1] != planes.shape[2]:  # Nobody asks for the diagonal of these.
        return planes
    return tf.where(diagonal, tf.transpose(planes, [0, 2, 1, 3]), planes)


def _of_actions(values: tf.Tensor, height: int, width: int, bits: tf.Tensor) -> tf.Tensor:
    """[B, A], as `_board`."""
    if values.shape[1] == width:
        return _board(values[:, None, :, None], bits)[:, 0, :, 0]
    cells = tf.reshape(values[:, : height * width], [-1, height, width, 1])
    cells = tf.reshape(_board(cells, bits), [-1, height * width])
    return tf.concat([cells, values[:, height * width :]], axis=1)
