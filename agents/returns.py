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


def last_rows(start_of_episode: tf.Tensor) -> tf.Tensor:
    """Which rows [R] of whole episodes, one behind the other, hold a final observation alone."""
    return tf.concat([start_of_episode[1:], [True]], axis=0)


def episode_returns(
    rewards: tf.Tensor, discounts: tf.Tensor, start_of_episode: tf.Tensor, values: tf.Tensor
) -> tf.Tensor:
    """R_t = r_t + γ_t R_{t+1} over rows [R] of whole episodes, one behind the other.

    An episode's last row holds its final observation, where R is that observation's value: what it
    takes part in is decided by the γ before it, which is 0 where the episode was over.

    Args:
      rewards: r [R]; those of last rows have no meaning.
      discounts: γ [R]; likewise.
      start_of_episode: bool [R].
      values: v [R]; only those of last rows count.

    Returns:
      R [R].
    """
    last = last_rows(start_of_episode)
    return discounted_sums(tf.where(last, values, rewards), tf.where(last, 0.0, discounts))


def generalised_advantages(
    rewards: tf.Tensor,
    discounts: tf.Tensor,
    values: tf.Tensor,
    final: tf.Tensor,
    trace: float,
) -> tf.Tensor:
    """A_t = δ_t + γ_t λ A_{t+1}, where δ_t = r_t + γ_t v_{t+1} − v_t (Schulman et al. 2016, GAE).

    With λ = 1 it is the return of the rest of the rollout and its bootstrap, less v_t. Rows that
    hold a final observation alone take no action: their A is 0, so that what came before them
    bootstraps from their value.

    Args:
      rewards: r [B, T]; those of final rows have no meaning.
      discounts: γ [B, T]; likewise.
      values: v [B, T + 1].
      final: bool [B, T], which rows are those.
      trace: λ.

    Returns:
      A [B, T]. Nothing is differentiated.

    Raises:
      ValueError: the shapes do not fit.
    """
    check_same_shape(rewards=rewards, discounts=discounts, final=final, values_behind=values[:, 1:])
    errors = tf.where(final, 0.0, rewards + discounts * values[:, 1:] - values[:, :-1])
    decays = tf.where(final, 0.0, trace * discounts)
    return tf.transpose(discounted_sums(tf.transpose(errors), tf.transpose(decays)))


def discounted_sums(terms: tf.Tensor, discounts: tf.Tensor) -> tf.Tensor:
    """y_t = x_t + γ_t y_{t+1} along the first axis; behind the last term stands 0.

    Each pass doubles the terms that a sum has, so there are log₂ T of them where a loop over time
    (as in `trfl.scan_discounted_sum`) takes T. Nothing is differentiated.

    Args:
      terms: x [T, ...].
      discounts: γ [T, ...].

    Returns:
      y [T, ...].
    """
    length = tf.shape(terms)[0]
    place = tf.reshape(tf.range(length), [-1] + [1] * (terms.shape.rank - 1))

    def double(n: tf.Tensor, sums: tf.Tensor, products: tf.Tensor):
        """From n terms a sum, and the product of their discounts, to 2n."""
        ahead = lambda x: tf.where(place + n < length, tf.roll(x, -n, axis=0), 0.0)  # noqa: E731
        return 2 * n, sums + products * ahead(sums), products * ahead(products)

    start = (tf.constant(1), terms, discounts)
    _, sums, _ = tf.while_loop(lambda n, *_: n < length, double, start, parallel_iterations=1)
    return tf.stop_gradient(sums)
