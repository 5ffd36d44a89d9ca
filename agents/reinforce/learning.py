"""REINFORCE's learner: one step along the gradient of the episodes since the last one."""

from __future__ import annotations

import tensorflow as tf
import trfl

from agents.learner import Learner, Update
from agents.optimizers import Adam
from agents.reinforce.config import ReinforceConfig
from agents.reinforce.networks import ReinforceNetworks
from agents.returns import episode_returns, last_rows
from agents.types import Trajectory


class ReinforceLearner(Learner):
    """One call of `step` is one update, on rows [R, …] of whole episodes."""

    def __init__(self, config: ReinforceConfig, networks: ReinforceNetworks, seed: int) -> None:
        super().__init__(networks, seed)
        self._config = config
        self._parts = [(networks.policy.trainable_variables, config.learning_rate)]
        if networks.baseline is not None:
            variables = networks.baseline.trainable_variables
            self._parts.append((variables, config.baseline_learning_rate))
        self._optimizers = [Adam(*part) for part in self._parts]

    def update(self, batch: Trajectory, seed: tf.Tensor) -> Update:
        """See `Learner.update`; nothing in it is random."""
        parts = [variables for variables, _ in self._parts]
        with tf.GradientTape() as tape:
            loss, metrics = self.loss(batch)
        gradients = tape.gradient(loss, parts)
        for optimizer, part in zip(self._optimizers, gradients, strict=True):
            optimizer.apply(part)
        norm = tf.linalg.global_norm(tf.nest.flatten(gradients))
        return Update({"loss/total": loss, **metrics, "learner/gradient_norm": norm})

    def loss(self, rows: Trajectory) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """−Σ log π(a_t | s_t) (R_t − V(s_t)) + ½ Σ (R_t − V(s_t))² − c Σ H(s_t), an episode's mean.

        Returns:
          the loss, whose gradient is −∇J for the policy and −Σ (R_t − V) ∇V for the baseline, and
          its parts and what they were made of.
        """
        config = self._config
        policy, values = self.networks(rows.observation)
        last = last_rows(rows.start_of_episode)
        acted = tf.logical_not(last)
        rest = tf.stop_gradient(values) if config.bootstrap else tf.zeros_like(values)
        discounts = config.discount * rows.discount
        returns = episode_returns(rows.reward, discounts, rows.start_of_episode, rest)
        errors = tf.where(acted, returns - values, 0.0)
        advantages = errors
        if config.normalise_advantages:
            mean, variance = _moments(errors, acted)
            advantages = (errors - mean) / tf.sqrt(variance + 1e-8)

        episodes = tf.math.count_nonzero(last, dtype=tf.float32)
        mean_sum = lambda x: tf.reduce_sum(tf.where(acted, x, 0.0)) / episodes  # noqa: E731
        policy_loss = mean_sum(trfl.policy_gradient(policy, rows.action, advantages))
        entropy = trfl.policy_entropy_loss(policy)
        loss = policy_loss + config.entropy_scale * mean_sum(entropy.loss)
        metrics = {
            "loss/policy": policy_loss,
            "policy/entropy": _moments(entropy.extra.entropy, acted)[0],
            "learner/steps": tf.math.count_nonzero(acted, dtype=tf.float32),
        }
        if self.networks.baseline is not None:
            metrics["loss/baseline"] = mean_sum(0.5 * tf.square(errors))
            loss += metrics["loss/baseline"]
            unexplained = [_moments(x, acted)[1] for x in (errors, returns)]
            metrics["baseline/unexplained"] = tf.math.divide_no_nan(*unexplained)
        return loss, metrics


def _moments(values: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of those rows."""
    return tf.nn.weighted_moments(values, [0], tf.cast(rows, tf.float32))
