"""AlphaZero's learner: fits (p, v) to what searches and games have come to (paper, equation 1)."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from agents import replicas
from agents.alphazero.config import AlphaZeroConfig
from agents.boards.observations import split
from agents.boards.symmetries import turned_at_random
from agents.learner import Update, measured_if
from agents.searching.learner import SearchingLearner
from agents.searching.losses import cross_entropy
from agents.shapes import check_same_shape
from agents.types import Trajectory


class Positions(NamedTuple):
    """What one update learns from.

    Attributes:
      planes: [B, H, W, P].
      legal: bool [B, A].
      policy_targets: π [B, A].
      value_targets: z [B].
    """

    planes: tf.Tensor
    legal: tf.Tensor
    policy_targets: tf.Tensor
    value_targets: tf.Tensor


class AlphaZeroLearner(SearchingLearner):
    """See `SearchingLearner`."""

    _config: AlphaZeroConfig

    def update(self, batch: Trajectory, seed: tf.Tensor) -> Update:
        """See `Learner.update`."""
        data = self.positions(batch, seed)
        gradients, metrics = self._gradients(data)
        gradients = replicas.mean(gradients)
        metrics["learner/gradient_norm"] = tf.linalg.global_norm(gradients)
        self._descent.step(gradients, seed[1])
        extras = batch.extras
        age = tf.reduce_mean(tf.cast(seed[1] + 1 - extras["searched_at"], tf.float32))
        metrics |= {"replay/target_age": age}
        if "gave_up" in extras:
            metrics |= falsely_given_up(extras["gave_up"][:, 0], extras["value_target"][:, 0])
        return Update(metrics)

    def positions(self, batch: Trajectory, seed: tf.Tensor) -> Positions:
        """What a batch of items [B, 1, …] says, turned as the configuration wants it."""
        seen, legal = split(tf.nest.map_structure(lambda values: values[:, 0], batch.observation))
        policies = batch.extras["search_policy"][:, 0]
        planes, (policies, legal) = turned_at_random(
            self._config.symmetries, self.network.planes(seen), [policies, legal], seed
        )
        return Positions(planes, legal, policies, batch.extras["value_target"][:, 0])

    def loss(self, data: Positions) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """(z − v)² − πᵀ log p, the mean of a batch, and its parts; c‖θ‖² is `Descent`'s."""
        prediction = self.network(data.planes, is_training=True)
        policy = tf.reduce_mean(policy_loss(data, prediction.prior_logits))
        errors = data.value_targets - prediction.value
        check_same_shape(z=data.value_targets, v=prediction.value)
        value = tf.reduce_mean(tf.square(errors))
        loss = policy + self._config.value_scale * value
        return loss, {
            "loss/total": loss,
            "loss/policy": policy,
            "loss/value": value,
            "model/value_error": tf.reduce_mean(tf.abs(errors)),
            "search/policy_entropy": tf.reduce_mean(entropy(data.policy_targets)),
        }


def policy_loss(data: Positions, logits: tf.Tensor) -> tf.Tensor:
    """−πᵀ log p [B], where p is over the legal actions alone, as in the search."""
    # Not −∞, whose gradient is none where the target is 0.
    return cross_entropy(data.policy_targets, tf.where(data.legal, logits, -1e9))


def entropy(policies: tf.Tensor) -> tf.Tensor:
    """−Σ π log π [B], what `policy_loss` cannot fall below."""
    return -tf.reduce_sum(tf.math.xlogy(policies, policies), axis=-1)


def falsely_given_up(gave_up: tf.Tensor, outcomes: tf.Tensor) -> dict[str, tf.Tensor]:
    """Of the games played on that somebody would have given up, the share that was not lost.

    Args:
      gave_up: bool [B], at the first position of a game at which somebody would have.
      outcomes: z [B], the mover's.
    """
    games = tf.cast(gave_up, tf.float32)
    count, false = replicas.total(
        (tf.reduce_sum(games), tf.reduce_sum(tf.where(outcomes > -1.0, games, 0.0)))
    )
    return measured_if(
        count > 0, ["resignation/false_share"], lambda: {"resignation/false_share": false / count}
    )
