"""A2C's learner: one step along the gradient of a batch of rollouts."""

from __future__ import annotations

import tensorflow as tf

from agents.actor_critic import losses
from agents.actor_critic.learner import ActorCriticLearner
from agents.actor_critic.losses import Rows
from agents.learner import Update
from agents.rollouts import Rollouts


class A2CLearner(ActorCriticLearner):
    """One call of `step` is one update (paper, algorithm S3, synchronously)."""

    def update(self, batch: Rollouts, seed: tf.Tensor) -> Update:
        """See `Learner.update`."""
        rows, metrics = self.corrected(batch, self.rows(batch)), {}

        def loss() -> tf.Tensor:
            policy, values = self.networks(rows.observation)
            total, terms = losses.actor_critic_loss(policy, values, rows, self._config)
            metrics.update(terms)
            return total

        metrics["learner/gradient_norm"] = self.descend(loss, seed[1])
        self.take_in(batch, rows)
        return Update({**metrics, **losses.data_metrics(rows)})

    def corrected(self, batch: Rollouts, rows: Rows) -> Rows:
        """V-trace's targets in the place of the rows' own, where the configuration says so."""
        if self._config.correction == "none":
            return rows
        policy = self.networks.acting(rows.observation)
        change = tf.reshape(policy.log_prob(rows.action) - rows.log_prob, tf.shape(batch.reward))
        values = self.networks.value(batch.observation)  # [B, T + 1]
        rewards, discount = self._rewards(batch), self._config.discount
        advantages, targets = losses.vtrace(batch, values, rewards, change, discount)
        flat = lambda x: tf.reshape(x, [-1])  # noqa: E731
        return rows._replace(advantage=flat(advantages), target=flat(targets))
