"""The twin: rules in plain TensorFlow, of static shapes, which XLA compiles.

Of Go it knows what is seen of a position, and no rules.
"""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

from ops.games import layout
from ops.games.in_a_row_reference import InARow
from ops.games.layout import Unpacked
from ops.games.options import Options
from ops.games.othello_reference import Othello


@functools.cache
def _game(options: Options) -> Any:
    """What is one game's own, on the stones of the player to move and the other's, bool [B, C].

    `legal(own, other)`: bool [B, A]. `play(own, other, action)`: both after a legal move.
    `result(own, other)`, after the own move: whether the game is over, bool [B], and, where it
    is, what the mover gets, float32 [B].
    """
    if options.name == "othello":
        return Othello(options.height)
    if options.name == "connect_four":
        return InARow(options.height, options.width, length=4, falling=True)
    return InARow(options.height, options.width, length=3, falling=False)


def step(
    state: tf.Tensor, action: tf.Tensor, options: Options
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """`Rules.step`: state, reward, discount, legal."""
    game, before = _game(options), _valid(state, options)
    action = _legal_action(action, before, options)
    own, other = game.play(*map(layout.stones, before.by_turn()), action)
    ended, reward = game.result(own, other)
    after = _next(before, own, other, _status(ended, reward, before.second_moves))
    legal = game.legal(other, own) & ~(before.over | ended)[:, None]
    state = tf.where(before.over[:, None], state, layout.pack(after, options))
    reward = tf.where(before.over | ~ended, 0.0, reward)
    discount = tf.where(before.over | ended, 0.0, -1.0)
    return state, reward, discount, legal


def legal(state: tf.Tensor, options: Options) -> tf.Tensor:
    """`Rules.legal`."""
    return _legal(_valid(state, options), options)


def observe(state: tf.Tensor, options: Options) -> tf.Tensor:
    """`Rules.observe`."""
    parts = _valid(state, options)
    both = tf.stack(parts.by_turn(), axis=-1)  # [B, C, 2]
    ages = tf.range(options.history, dtype=tf.int32)[:, None]
    seen = layout.stones(tf.bitwise.right_shift(both[:, :, None], tf.cast(ages, tf.uint8)))
    shape = [-1, options.height, options.width]
    planes = tf.reshape(tf.cast(seen, tf.float32), [*shape, 2 * options.history])
    first = tf.cast(~parts.second_moves, tf.float32)[:, None, None, None]
    colour = tf.broadcast_to(first, tf.concat([tf.shape(planes)[:3], [1]], axis=0))
    return tf.concat([planes, colour], axis=-1)


def _legal(parts, options):
    return _game(options).legal(*map(layout.stones, parts.by_turn())) & ~parts.over[:, None]


def _legal_action(action, before, options):
    """The action [B] if all are legal where the game goes on, where it is over 0."""
    most = options.num_actions
    known = (action >= 0) & (action < most)
    inside = tf.clip_by_value(action, 0, most - 1)
    good = before.over | (known & tf.gather(_legal(before, options), inside, batch_dims=1))
    row, rows = _first_row(good), tf.range(tf.size(action))
    told = ["action is illegal (action, row)", tf.reduce_sum(tf.where(rows == row, action, 0)), row]
    check = tf.debugging.Assert(tf.reduce_all(good), told)
    with tf.control_dependencies([check] if check is not None else []):
        return tf.where(before.over, 0, inside)


def _next(before: Unpacked, own, other, status) -> Unpacked:
    """The position after the mover's stones `own` and the other's, bool [B, C]."""
    turned = before.second_moves[:, None]
    first, second = tf.where(turned, other, own), tf.where(turned, own, other)
    return Unpacked(
        before.moves + 1, status, _shifted(before.first, first), _shifted(before.second, second)
    )


def _shifted(history: tf.Tensor, now: tf.Tensor) -> tf.Tensor:
    """A history [B, C] that the stones `now`, bool [B, C], are the newest of."""
    return tf.bitwise.left_shift(history, tf.ones([], tf.uint8)) | tf.cast(now, tf.uint8)


def _status(ended, reward, second_moved):
    """uint8 [B]: the reward is the mover's."""
    first = tf.where(second_moved, -reward, reward)
    won = tf.where(first > 0, layout.FIRST_WON, layout.SECOND_WON)
    finished = tf.where(reward == 0, layout.DRAWN, won)
    return tf.cast(tf.where(ended, finished, layout.GOING), tf.uint8)


def _valid(state: tf.Tensor, options: Options) -> Unpacked:
    """The parts of states, if their header and their cells are in range."""
    parts = layout.unpack(state, options)
    none = tf.reduce_all(tf.bitwise.bitwise_and(parts.first, parts.second) == 0, axis=1)
    most = tf.where(parts.over, options.max_moves, options.max_moves - 1)
    good = none & (parts.moves <= most) & (parts.status <= layout.DRAWN)
    passes = 1 + tf.cast(parts.over, tf.uint8) if options.name == "go" else 0
    good &= state[:, layout.PASSES] <= passes
    message = f"state is not one of {options.name}'s (row)"
    check = tf.debugging.Assert(tf.reduce_all(good), [message, _first_row(good)])
    with tf.control_dependencies([check] if check is not None else []):
        return parts._replace(status=tf.identity(parts.status))


def _first_row(good: tf.Tensor) -> tf.Tensor:
    """The first that is not good; the number of rows where all are."""
    rows = tf.range(tf.size(good))
    return tf.reduce_min(tf.where(good, tf.size(good), rows))
