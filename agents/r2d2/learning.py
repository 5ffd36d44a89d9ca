"""R2D2's learner: a step of Q towards its own bootstrap, over the rows of sequences."""

from __future__ import annotations

import tensorflow as tf

from agents import replicas
from agents.q_learning.learner import Errors, QLearner
from agents.r2d2.config import R2D2Config
from agents.r2d2.networks import R2D2Networks
from agents.returns import n_step_returns
from agents.rollouts import Rollouts, final_rows
from agents.value_transforms import squash, unsquash


class R2D2Learner(QLearner):
    """One call of `step` is one update, on a batch of sequences (paper, section 2.3)."""

    _config: R2D2Config
    networks: R2D2Networks

    def errors(self, batch: Rollouts, seed: tf.Tensor) -> Errors:
        """See `QLearner.errors`; rows are as much worth in a short sequence as in a long one."""
        errors, value = self.temporal_differences(batch)  # [B, U], U = T − burn_in
        weights = tf.cast(tf.logical_not(final_rows(batch)[:, self._config.burn_in :]), tf.float32)
        size = tf.stop_gradient(weights * tf.abs(errors))
        loss = tf.reduce_mean(0.5 * weights * tf.square(errors), axis=1)
        steps = tf.reduce_sum(weights)
        share = tf.math.divide_no_nan(1.0, replicas.mean(steps))
        metrics = {
            "q/value": share * tf.reduce_sum(weights * value),
            "q/error": share * tf.reduce_sum(size),
            "learner/steps": replicas.total(steps),
        }
        return Errors(loss, self.priorities(size, weights), metrics)

    def temporal_differences(self, batch: Rollouts) -> tuple[tf.Tensor, tf.Tensor]:
        """h(G_t) − Q(s_t, a_t), and Q(s_t, a_t), both [B, U]; those of final rows mean nothing.

        G_t is n rewards, and h⁻¹ of the target network's Q behind them; it ends with the sequence.
        """
        config = self._config
        values = self.networks.online.unroll(batch, config.burn_in)  # [B, U + 1, A]
        target = self.networks.target.unroll(batch, config.burn_in)
        best = tf.argmax(values if config.double else target, axis=2, output_type=tf.int32)
        following = self._as_returns(tf.gather(target, best, batch_dims=2))  # [B, U + 1]
        learned = lambda x: x[:, config.burn_in :]  # noqa: E731
        rewards, final = learned(batch.reward), learned(final_rows(batch))
        if config.clip_rewards:
            rewards = tf.clip_by_value(rewards, -1.0, 1.0)
        # In a row of a final observation the return is that observation's value.
        rewards = tf.where(final, following[:, :-1], rewards)
        discounts = tf.where(final, 0.0, config.discount * learned(batch.discount))
        returns = n_step_returns(rewards, discounts, following, config.n_step)
        done = tf.gather(values[:, :-1], learned(batch.action), batch_dims=2)
        return tf.stop_gradient(self._as_values(returns)) - done, done

    def priorities(self, sizes: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """η max |δ| + (1 − η) mean |δ| [B], over the rows [B, U] of weight 1."""
        share = self._config.max_share
        mean = tf.math.divide_no_nan(
            tf.reduce_sum(weights * sizes, axis=1), tf.reduce_sum(weights, axis=1)
        )
        return share * tf.reduce_max(weights * sizes, axis=1) + (1.0 - share) * mean

    def _as_returns(self, values: tf.Tensor) -> tf.Tensor:
        return unsquash(values) if self._config.rescale_values else values

    def _as_values(self, returns: tf.Tensor) -> tf.Tensor:
        return squash(returns) if self._config.rescale_values else returns
