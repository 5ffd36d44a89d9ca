"""Planners over a model's returns: PETS' own CEM, random shooting, MPPI. B searches side by side.

Each takes `objective(actions [B, J, H, A], seed) → returns [B, J]`, the mean to begin at, and
settings; actions lie in [−1, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from agents.pets.config import PETSConfig
from ops.cem.optimize import iteration_seeds, select_elites

Objective = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

# The released code's cost of a candidate that the model carries out of all bounds.
_WORST_RETURN = -1e6


class Plan(NamedTuple):
    """What a search ends with.

    Attributes:
      actions: [B, H, A].
      predicted_return: [B], of the best candidates of the last round.
    """

    actions: tf.Tensor
    predicted_return: tf.Tensor


def plan(
    config: PETSConfig, objective: Objective, initial_mean: tf.Tensor, seed: tf.Tensor
) -> Plan:
    """Searches with the planner that `config` names, from means [B, H, A]."""
    planners = {"cem": cross_entropy, "random": random_shooting, "mppi": path_integral}
    return planners[config.planner](config, _finite(objective), initial_mean, seed)


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
        elites, returns = select_elites(actions, objective(actions, judge), config.planning_elites)
        new_mean, new_variance = tf.nn.moments(elites, axes=[1])
        keep = config.planning_momentum
        new_mean = keep * mean + (1.0 - keep) * new_mean
        new_variance = keep * variance + (1.0 - keep) * new_variance
        on = searching(variance)
        mean = tf.where(on, new_mean, mean)
        returns = tf.where(on[..., 0], returns, last)
        return i + 1, mean, tf.where(on, new_variance, variance), returns

    start = (
        tf.constant(0),
        initial_mean,
        tf.fill(tf.shape(initial_mean), 0.25),
        tf.zeros([shape[0], config.planning_elites]),
    )
    _, mean, _, returns = tf.while_loop(
        lambda i, _, variance, __: tf.logical_and(
            i < config.planning_iterations, tf.reduce_any(searching(variance))
        ),
        body,
        start,
        maximum_iterations=config.planning_iterations,
        parallel_iterations=1,
    )
    return Plan(mean, tf.reduce_mean(returns, axis=1))


def random_shooting(config, objective, initial_mean, seed) -> Plan:
    """The best of I · J uniform plans; it has no use for the mean."""
    count = config.planning_iterations * config.planning_candidates
    draw, judge = iteration_seeds(seed, tf.constant(0))
    shape = _candidates_shape(config, initial_mean, count)
    actions = tf.random.stateless_uniform(shape, draw, -1.0, 1.0)
    best, returns = select_elites(actions, objective(actions, judge), 1)
    return Plan(best[:, 0], returns[:, 0])


def path_integral(config, objective, initial_mean, seed) -> Plan:
    """MPPI (Williams et al. 2017): the mean moves to Σ w a, w ∝ exp(return / λ)."""
    shape = _candidates_shape(config, initial_mean, config.planning_candidates)

    def body(i, mean, _):
        draw, judge = iteration_seeds(seed, i)
        noise = config.mppi_stddev * tf.random.stateless_normal(shape, draw)
        actions = tf.clip_by_value(mean[:, None] + noise, -1.0, 1.0)
        returns = objective(actions, judge)  # [B, J]
        weights = tf.nn.softmax(returns / config.mppi_temperature, axis=1)
        mean = tf.einsum("bj,bjha->bha", weights, actions)
        return i + 1, mean, tf.reduce_sum(weights * returns, axis=1)

    _, mean, returns = tf.while_loop(
        lambda i, *_: i < config.planning_iterations,
        body,
        (tf.constant(0), initial_mean, tf.zeros([shape[0]])),
        maximum_iterations=config.planning_iterations,
        parallel_iterations=1,
    )
    return Plan(mean, returns)


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


def _finite(objective: Objective) -> Objective:
    def judged(actions: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        returns = objective(actions, seed)
        return tf.where(tf.math.is_finite(returns), returns, _WORST_RETURN)

    return judged
