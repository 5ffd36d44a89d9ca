"""A2C's learner: one step along the gradient of a batch of rollouts."""

from __future__ import annotations

import tensorflow as tf
import trfl

from agents.actor_critic import losses
from agents.actor_critic.learner import ActorCriticLearner
from agents.actor_critic.losses import Rows
from agents.learner import Update
from agents.rollouts import Rollouts, final_rows


class A2CLearner(ActorCriticLearner):
    """One call of `step` is one update (paper, algorithm S3, synchronously)."""

    def update(self, batch: Rollouts, seed: tf.Tensor) -> Update:
        """See `Learner.update`."""
        config, metrics = self._config, {}
        rows = self.corrected(batch, self.rows(batch))
        advantages = rows.advantage
        if config.normalise_advantages:
            advantages = losses.normalised(advantages, rows.weight)

        def loss() -> tf.Tensor:
            policy = self.networks.acting(rows.observation)
            values = self.networks.value(rows.observation)
            metrics["loss/policy"] = losses.policy_gradient(policy, rows, advantages)
            metrics["loss/critic"] = losses.value_loss(values, rows)
            metrics["policy/entropy"] = losses.mean_entropy(policy, rows)
            bonus = config.entropy_scale * metrics["policy/entropy"]
            return metrics["loss/policy"] + config.value_scale * metrics["loss/critic"] - bonus

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
        found = trfl.vtrace_from_importance_weights(
            # A row without an action has ratio 0: its target is its value.
            tf.transpose(tf.where(final_rows(batch), -1e9, change)),
            tf.transpose(self._config.discount * batch.discount),
            tf.transpose(self._rewards(batch)),
            tf.transpose(values[:, :-1]),
            values[:, -1],
        )
        flat = lambda x: tf.reshape(tf.transpose(x), [-1])  # noqa: E731
        return rows._replace(advantage=flat(found.pg_advantages), target=flat(found.vs))
