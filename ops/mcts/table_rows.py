"""What searches that plan do to rows of their tables: reads, writes in place, returns, plans."""

from __future__ import annotations

import tensorflow as tf

from ops import loader
from ops.mcts import tree as t


def written(table: tf.Tensor, rows: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The table itself with values [n, ...] in rows [n]."""
    if loader.compiling():  # XLA finds out by itself that it need not copy.
        return tf.tensor_scatter_nd_update(table, rows[:, None], values)
    return tf.raw_ops.InplaceUpdate(x=table, i=rows, v=values)


def flat(whole: tf.Tensor) -> tf.Tensor:
    """[B, n, ...] to [B · n, ...]."""
    return tf.reshape(whole, tf.concat([[-1], tf.shape(whole)[2:]], axis=0))


def cells(rows: tf.Tensor, column: int) -> tf.Tensor:
    """Indices [n, 2] of one column of a table's rows [n]."""
    return tf.stack([rows, tf.zeros_like(rows) + column], axis=1)


def greatest(stats: tf.Tensor) -> tf.Tensor:
    """How many nodes the fullest tree has: int32."""
    return tf.cast(tf.reduce_max(stats[:, t.NEXT_NODE]), tf.int32)


def best(scores: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The first of the greatest, and its score: [n, A] to int32 [n] and [n]."""
    if loader.compiling():  # XLA would sort.
        return tf.argmax(scores, axis=1, output_type=tf.int32), tf.reduce_max(scores, axis=1)
    score, action = tf.math.top_k(scores, 1)  # One op for both.
    return action[:, 0], score[:, 0]


def shifted(values: tf.Tensor) -> tf.Tensor:
    """Of each entry [E] the value of the one below it; of the first its own."""
    return tf.concat([values[:1], values[:-1]], axis=0)


def returns(
    is_leaf: tf.Tensor, value: tf.Tensor, reward: tf.Tensor, discount: tf.Tensor
) -> tf.Tensor:
    """G = r + γ · (G of the entry below); a leaf's is its value. All [E]; r and γ are those of the
    edge into the entry below.
    """
    zeros = tf.zeros_like(value)
    below = tf.where(is_leaf, zeros, -discount)
    diagonals = tf.stack([zeros, zeros + 1.0, below])
    right = tf.where(is_leaf, value, reward)[:, None]
    solve = tf.raw_ops.TridiagonalSolve
    return solve(diagonals=diagonals, rhs=right, partial_pivoting=False)[:, 0]


def with_range(
    stats: tf.Tensor, is_leaf: tf.Tensor, owner: tf.Tensor, qvalue: tf.Tensor
) -> tf.Tensor:
    """Statistics [B, 3] after a backup wrote these Q of all entries that are no leaves [E]."""
    # A leaf stands below another entry of its tree: that one's Q twice changes no range.
    qvalue = tf.where(is_leaf, tf.roll(qvalue, -1, axis=0), qvalue)
    low, high = tf.math.segment_min(qvalue, owner), tf.math.segment_max(qvalue, owner)
    low = tf.minimum(stats[:, t.MIN_QVALUE], low)
    high = tf.maximum(stats[:, t.MAX_QVALUE], high)
    return tf.stack([stats[:, t.NEXT_NODE], low, high], axis=1)


def carried(own: tf.Tensor, starts: tf.Tensor) -> tf.Tensor:
    """Of each entry [E] the `own` of the last one before it, or itself, that `starts`."""
    first = tf.gather_nd(own, tf.where(starts))
    return tf.gather(first, tf.cumsum(tf.cast(starts, tf.int32)) - 1)


def ends(ahead: tf.Tensor) -> tf.Tensor:
    """Where one comes to from each place by going on to `ahead` of it until that is itself: [n]."""

    def twice(ahead, _):
        further = tf.gather(ahead, ahead)
        return further, tf.reduce_any(further != ahead)

    return tf.while_loop(lambda _, moving: moving, twice, (ahead, tf.constant(True)))[0]
