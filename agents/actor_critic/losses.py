"""Advantages and losses over the rows of a batch of rollouts; pure functions.

Rows that hold a final observation alone have weight 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf
import trfl

from agents import replicas
from agents.actor_critic.config import ActorCriticConfig, RolloutConfig
from agents.moments import weighted_mean, weighted_moments
from agents.returns import generalised_advantages
from agents.rollouts import Rollouts, final_rows


class Rows(NamedTuple):
    """Rows of rollouts, and what is to be learned of each.

    They stand one behind the other, [R], or are those of a batch, [B, T].

    Attributes:
      observation: [R, D].
      action: [R, …].
      log_prob: [R], of the action when it was drawn.
      value: [R], the critic's before the update.
      advantage, target: [R], for the policy and for the critic.
      weight: [R], 1 where an action was taken.
    """

    observation: Any
    action: Any
    log_prob: Any
    value: Any
    advantage: Any
    target: Any
    weight: Any


def rows_of(
    rollouts: Rollouts, values: tf.Tensor, rewards: tf.Tensor, config: ActorCriticConfig
) -> Rows:
    """The rows of a batch [B, T] with their advantages, of values [B, T + 1]."""
    final = final_rows(rollouts)
    discounts = config.discount * rollouts.discount
    advantages = generalised_advantages(rewards, discounts, values, final, config.trace)
    acted = tf.reshape(tf.logical_not(final), [-1])
    # In the place of a row without an action stands the first one that has one: the policy may
    # give nothing's zeros no density at all, and no weight makes that a number.
    source = tf.where(acted, tf.range(tf.size(acted)), tf.argmax(acted, output_type=tf.int32))
    rows = lambda x: tf.gather(tf.reshape(x, [-1, *x.shape[2:]]), source)  # noqa: E731
    return Rows(
        rows(rollouts.observation[:, :-1]),
        rows(rollouts.action),
        rows(rollouts.extras["log_prob"]),
        rows(values[:, :-1]),
        rows(advantages),
        rows(advantages + values[:, :-1]),
        tf.cast(acted, tf.float32),
    )


def normalised(advantages: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Advantages of mean 0 and deviation 1 over the whole batch's rows of weight 1."""
    mean, variance = weighted_moments(advantages, weights)
    return (advantages - mean) / (tf.sqrt(variance) + 1e-8)


def vtrace(
    rollouts: Rollouts,
    values: tf.Tensor,
    rewards: tf.Tensor,
    log_ratios: tf.Tensor,
    discount: float,
) -> tuple[tf.Tensor, tf.Tensor]:
    """V-trace with ρ̄ = c̄ = 1 (Espeholt et al. 2018, equation 1; trfl).

    Args:
      rollouts: [B, T].
      values: V [B, T + 1].
      rewards: r [B, T].
      log_ratios: log π(a) − log μ(a) [B, T], of the policy now and the one that acted.
      discount: γ, beside the environment's own.

    Returns:
      ρ_t (r_t + γ v_{t+1} − V(s_t)) and v_t, both [B, T]; a row without an action has ratio 0: its
      target is its value. Nothing is differentiated.
    """
    found = trfl.vtrace_from_importance_weights(
        tf.transpose(tf.where(final_rows(rollouts), -1e9, log_ratios)),
        tf.transpose(discount * rollouts.discount),
        tf.transpose(rewards),
        tf.transpose(values[:, :-1]),
        values[:, -1],
    )
    return tf.transpose(found.pg_advantages), tf.transpose(found.vs)


def actor_critic_loss(
    policy: Any, values: tf.Tensor, rows: Rows, config: RolloutConfig
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """−log π(a | s) A + c_v ½ (target − V)² − c_e H, a row's mean; and its terms, without weights.

    Args:
      policy: π, distributions of the rows' shape.
      values: V of the rows.
      rows: what is learned of them.
      config: the weights, and whether advantages are normalised.
    """
    advantages = rows.advantage
    if config.normalise_advantages:
        advantages = normalised(advantages, rows.weight)
    metrics = {
        "loss/policy": policy_gradient(policy, rows, advantages),
        "loss/critic": value_loss(values, rows),
        "policy/entropy": mean_entropy(policy, rows),
    }
    bonus = config.entropy_scale * metrics["policy/entropy"]
    total = metrics["loss/policy"] + config.value_scale * metrics["loss/critic"] - bonus
    return total, metrics


def policy_gradient(policy: Any, rows: Rows, advantages: tf.Tensor) -> tf.Tensor:
    """−log π(a | s) A, a row's mean; no gradient through A (trfl)."""
    return weighted_mean(trfl.policy_gradient(policy, rows.action, advantages), rows.weight)


def mean_entropy(policy: Any, rows: Rows) -> tf.Tensor:
    """Of the policy, nats a step."""
    return weighted_mean(trfl.policy_entropy_loss(policy).extra.entropy, rows.weight)


def value_loss(values: tf.Tensor, rows: Rows) -> tf.Tensor:
    """½ (target − V)², a row's mean."""
    return weighted_mean(0.5 * tf.square(rows.target - values), rows.weight)


def unexplained(rows: Rows) -> tf.Tensor:
    """Variance of target − V over that of the target: 1 is no better than a constant."""
    _, rest = weighted_moments(rows.target - rows.value, rows.weight)
    _, all_of_it = weighted_moments(rows.target, rows.weight)
    return tf.math.divide_no_nan(rest, all_of_it)


def data_metrics(rows: Rows) -> Mapping[str, tf.Tensor]:
    """What the batch itself shows."""
    steps = replicas.total(tf.reduce_sum(rows.weight))
    return {"critic/unexplained": unexplained(rows), "learner/steps": steps}
