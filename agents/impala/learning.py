"""IMPALA's learner: a step along the gradient of a batch of rollouts, corrected by V-trace."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from agents.actor_critic import losses
from agents.actor_critic.learner import RolloutLearner
from agents.actor_critic.losses import Rows
from agents.impala.config import ImpalaConfig
from agents.learner import Update
from agents.optimizers import Optimizer, RMSProp
from agents.rollouts import Rollouts, final_rows


class ImpalaLearner(RolloutLearner):
    """One call of `step` is one update, on B rollouts from the queue (paper, section 4.2)."""

    _config: ImpalaConfig

    def make_optimizer(self, variables: Sequence[tf.Variable]) -> Optimizer:
        """Adam, or RMSProp that is not centred."""
        config = self._config
        if config.optimizer == "adam":
            return super().make_optimizer(variables)
        settings = (config.rms_decay, config.momentum, config.epsilon)
        return RMSProp(variables, config.learning_rate, *settings, centred=False)

    def update(self, batch: Rollouts, seed: tf.Tensor) -> Update:
        """See `Learner.update`."""
        metrics = {}

        def loss() -> tf.Tensor:
            policy, values = self.networks.unroll(batch)
            rows = self.rows(batch, policy.log_prob(batch.action), values)
            total, terms = losses.actor_critic_loss(policy, values[:, :-1], rows, self._config)
            metrics.update(terms, **losses.data_metrics(rows))
            metrics["policy/ratio"] = self._clipped_ratio(policy, rows)
            if self._config.reduction == "sum":
                return total * metrics["learner/steps"]
            return total

        metrics["learner/gradient_norm"] = self.descend(loss, seed[1])
        return Update(metrics)

    def rows(self, batch: Rollouts, log_prob: tf.Tensor, values: tf.Tensor) -> Rows:
        """The rows [B, T] with V-trace's targets.

        Args:
          batch: rollouts.
          log_prob: log π(a) [B, T], of the policy now.
          values: V [B, T + 1].
        """
        clips, acted = self._config.clip_rewards, tf.logical_not(final_rows(batch))
        rewards = tf.clip_by_value(batch.reward, -1.0, 1.0) if clips else batch.reward
        behaviour = batch.extras["log_prob"]
        advantages, targets = losses.vtrace(
            batch, values, rewards, log_prob - behaviour, self._config.discount
        )
        return Rows(
            observation=batch.observation[:, :-1],
            action=batch.action,
            log_prob=behaviour,
            value=tf.stop_gradient(values[:, :-1]),
            advantage=advantages,
            target=targets,
            weight=tf.cast(acted, tf.float32),
        )

    def _clipped_ratio(self, policy, rows: Rows) -> tf.Tensor:
        """Mean of ρ = min(1, π(a) / μ(a)): 1 where the data are the policy's own."""
        ratios = tf.exp(tf.minimum(policy.log_prob(rows.action) - rows.log_prob, 0.0))
        return losses.weighted_mean(ratios, rows.weight)
