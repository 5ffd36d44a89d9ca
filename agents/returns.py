"""Returns as targets: pure functions over time, shared by agents.

Index t holds r_t and γ_t, with which the environment answered the action at t, and v_t, a value of
the state at t. A negative γ_t passes the move to the other player, whose gain is the first one's
loss (as in `ops.mcts`).
"""

from __future__ import annotations

import tensorflow as tf

from agents.shapes import check_same_shape


def n_step_returns(
    rewards: tf.Tensor, discounts: tf.Tensor, values: tf.Tensor, n: int | None
) -> tf.Tensor:
    """G_t = Σ_{i<n} (Π_{j<i} γ_{t+j}) r_{t+i} + (Π_{j<n} γ_{t+j}) v_{t+n}.

    Where fewer than n steps follow, the sum ends with the last one and v_T stands behind it: 0 for
    an episode that is over (whose last γ is 0 anyway).

    Args:
      rewards: r [B, T].
      discounts: γ [B, T].
      values: v [B, T + 1].
      n: rewards before the bootstrap; None: all there are.

    Returns:
      G [B, T].

    Raises:
      ValueError: n is below 1, or the lengths or batches do not fit.
    """
    length = rewards.shape[1]
    if discounts.shape[1] != length or values.shape[1] != length + 1:
        raise ValueError(
            f"got {length} rewards, {discounts.shape[1]} discounts and {values.shape[1]} values; "
            "expected T, T and T + 1"
        )
    check_same_shape(rewards=rewards, discounts=discounts, values_behind=values[:, 1:])
    if n is not None and n < 1:
        raise ValueError(f"n is {n}; expected at least 1, or None")
    n = length if n is None else min(n, length)
    # Behind the end nothing is added and nothing discounted, so that v_T stays what it is.
    rewards = tf.pad(rewards, [[0, 0], [0, n - 1]])
    discounts = tf.pad(discounts, [[0, 0], [0, n - 1]], constant_values=1.0)
    result = tf.concat([values[:, n:], tf.repeat(values[:, -1:], n - 1, axis=1)], axis=1)
    for i in reversed(range(n)):
        result = rewards[:, i : i + length] + discounts[:, i : i + length] * result
    return result
