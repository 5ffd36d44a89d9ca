"""What the plain search does to rows of its tables: reads, writes in place, returns, plans."""

from __future__ import annotations

import tensorflow as tf

from ops.mcts import tree as t


def written(table: tf.Tensor, rows: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The table itself with values [n, ...] in rows [n]."""
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
    low = tf.math.segment_min(tf.where(is_leaf, float("inf"), qvalue), owner)
    high = tf.math.segment_max(tf.where(is_leaf, -float("inf"), qvalue), owner)
    low = tf.minimum(stats[:, t.MIN_QVALUE], low)
    high = tf.maximum(stats[:, t.MAX_QVALUE], high)
    return tf.stack([stats[:, t.NEXT_NODE], low, high], axis=1)


def carried(own: tf.Tensor, starts: tf.Tensor) -> tf.Tensor:
    """Of each entry [E] the `own` of the last one before it, or itself, that `starts`."""
    first = tf.boolean_mask(own, starts)
    return tf.gather(first, tf.cumsum(tf.cast(starts, tf.int32)) - 1)


def ends(ahead: tf.Tensor) -> tf.Tensor:
    """Where one comes to from each place by going on to `ahead` of it until that is itself: [n]."""

    def twice(ahead, _):
        further = tf.gather(ahead, ahead)
        return further, tf.reduce_any(further != ahead)

    return tf.while_loop(lambda _, moving: moving, twice, (ahead, tf.constant(True)))[0]
