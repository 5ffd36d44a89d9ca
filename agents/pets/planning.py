"""Planners over a model's returns: PETS' own CEM, random shooting, MPPI. B searches side by side.

Each takes `objective(actions [B, J, H, A], seed) → returns [B, J]`, the mean to begin at, and
settings; actions lie in [−1, 1].

A candidate whose return is NaN or infinite, because the model carries it out of all bounds, is
never chosen and counts for nothing, as in `ops.cem`. Where a row has fewer finite returns than
elites, those count; where it has none, as from an observation that is NaN, its search stays where
it is: the plan is finite, and `predicted_return` NaN says that nothing is known of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from agents.pets.config import PETSConfig
from ops.cem.optimize import iteration_seeds, rank, refit

Objective = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Plan(NamedTuple):
    """What a search ends with.

    Attributes:
      actions: [B, H, A].
      predicted_return: [B], of the best candidates of the last round that had any with a finite
        one; NaN without such a round.
    """

    actions: tf.Tensor
    predicted_return: tf.Tensor


def plan(
    config: PETSConfig, objective: Objective, initial_mean: tf.Tensor, seed: tf.Tensor
) -> Plan:
    """Searches with the planner that `config` names, from means [B, H, A]."""
    planners = {"cem": cross_entropy, "random": random_shooting, "mppi": path_integral}
    return planners[config.planner](config, objective, initial_mean, seed)


def cross_entropy(config, objective, initial_mean, seed) -> Plan:
    """CEM as PETS has it (appendix A.5): truncated draws, momentum, an early end.

    The variance starts at (upper − lower)² / 16. With truncation a draw is within two deviations,
    and the deviation at most half the distance to the nearer bound, so no candidate leaves them. A
    row whose largest variance is below `planning_min_variance` stays as it is, and a search of such
    rows alone is over.
    """
    shape = _candidates_shape(config, initial_mean, config.planning_candidates)

    def searching(variance):  # → [B, 1, 1]
        largest = tf.reduce_max(variance, axis=[1, 2], keepdims=True)
        return largest > config.planning_min_variance

    def body(i, mean, variance, last):
        draw, judge = iteration_seeds(seed, i)
        actions = _draw(config, mean, variance, shape, draw)
        returns = objective(actions, judge)
        elites, returns, finite = rank(actions, returns, config.planning_elites)
        new_mean, stddev = refit(elites, counting=finite)
        keep = config.planning_momentum
        new_mean = keep * mean + (1.0 - keep) * new_mean
        new_variance = keep * variance + (1.0 - keep) * tf.square(stddev)
        on = searching(variance) & finite[:, :1, None]  # The best is finite, or none is.
        mean = tf.where(on, new_mean, mean)
        variance = tf.where(on, new_variance, variance)
        predicted = tf.reduce_sum(tf.where(finite, returns, 0.0), axis=1)
        predicted /= tf.reduce_sum(tf.cast(finite, tf.float32), axis=1)
        return i + 1, mean, variance, tf.where(on[:, 0, 0], predicted, last)

    start = (
        tf.constant(0),
        initial_mean,
        tf.fill(tf.shape(initial_mean), 0.25),
        _nothing_known(shape[0]),
    )
    _, mean, _, predicted_return = tf.while_loop(
        lambda i, _, variance, __: tf.logical_and(
            i < config.planning_iterations, tf.reduce_any(searching(variance))
        ),
        body,
        start,
        maximum_iterations=config.planning_iterations,
        parallel_iterations=1,
    )
    return Plan(mean, predicted_return)


def random_shooting(config, objective, initial_mean, seed) -> Plan:
    """The best of I · J uniform plans; of a row that has none, the mean to begin at."""
    count = config.planning_iterations * config.planning_candidates
    draw, judge = iteration_seeds(seed, tf.constant(0))
    shape = _candidates_shape(config, initial_mean, count)
    actions = tf.random.stateless_uniform(shape, draw, -1.0, 1.0)
    best, returns, finite = rank(actions, objective(actions, judge), 1)
    best = tf.where(finite[..., None], best[:, 0], initial_mean)
    return Plan(best, tf.where(finite, returns, float("nan"))[:, 0])


def path_integral(config, objective, initial_mean, seed) -> Plan:
    """MPPI (Williams et al. 2017): the mean moves to Σ w a, w ∝ exp(return / λ)."""
    shape = _candidates_shape(config, initial_mean, config.planning_candidates)

    def body(i, mean, last):
        draw, judge = iteration_seeds(seed, i)
        noise = config.mppi_stddev * tf.random.stateless_normal(shape, draw)
        actions = tf.clip_by_value(mean[:, None] + noise, -1.0, 1.0)
        returns = objective(actions, judge)  # [B, J]
        finite = tf.math.is_finite(returns)
        judged = tf.where(finite, returns, -float("inf"))
        behind = judged - tf.reduce_max(judged, axis=1, keepdims=True)  # −∞ − −∞ is NaN.
        weights = tf.nn.softmax(behind / config.mppi_temperature, axis=1)
        any_finite = tf.reduce_any(finite, axis=1)
        moved = tf.einsum("bj,bjha->bha", weights, actions)
        mean = tf.where(any_finite[:, None, None], moved, mean)
        predicted = tf.reduce_sum(tf.where(finite, weights * returns, 0.0), axis=1)
        return i + 1, mean, tf.where(any_finite, predicted, last)

    _, mean, predicted_return = tf.while_loop(
        lambda i, *_: i < config.planning_iterations,
        body,
        (tf.constant(0), initial_mean, _nothing_known(shape[0])),
        maximum_iterations=config.planning_iterations,
        parallel_iterations=1,
    )
    return Plan(mean, predicted_return)


def _draw(config: PETSConfig, mean, variance, shape, seed) -> tf.Tensor:
    """Candidates [B, J, H, A] of Normal(mean, variance)."""
    if not config.planning_truncation:
        noise = tf.random.stateless_normal(shape, seed)
        return tf.clip_by_value(mean[:, None] + tf.sqrt(variance)[:, None] * noise, -1.0, 1.0)
    room = tf.minimum(1.0 + mean, 1.0 - mean)  # To the nearer bound.
    variance = tf.minimum(variance, tf.square(room / 2.0))
    noise = tf.random.stateless_truncated_normal(shape, seed)
    return mean[:, None] + tf.sqrt(variance)[:, None] * noise


def _candidates_shape(config: PETSConfig, mean: tf.Tensor, count: int) -> list:
    batch_size = mean.shape[0] or tf.shape(mean)[0]
    return [batch_size, count, config.planning_horizon, mean.shape[-1]]


def _nothing_known(batch_size: int | tf.Tensor) -> tf.Tensor:
    return tf.fill([batch_size], float("nan"))
