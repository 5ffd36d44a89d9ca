"""DQN's learner: a step of Q towards its own bootstrap, on transitions from replay."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import trfl

from agents.dqn.config import DQNConfig
from agents.dqn.networks import DQNNetworks
from agents.q_learning.learner import Errors, QLearner
from agents.transitions import Transitions, n_step_transition


class DQNLearner(QLearner):
    """One call of `step` is one update, on a batch of transitions (paper, algorithm 1)."""

    _config: DQNConfig
    networks: DQNNetworks

    def errors(self, batch: Transitions, seed: tf.Tensor) -> Errors:
        """See `QLearner.errors`; an item's priority is its error, or its cross-entropy."""
        seeds = self._noise_seeds(seed)
        if self._config.distributional:
            loss, value = self.cross_entropy(batch, seeds)
            return Errors(loss, tf.stop_gradient(loss), {"q/value": tf.reduce_mean(value)})
        error, value = self.temporal_difference(batch, seeds)
        size = tf.stop_gradient(tf.abs(error))
        metrics = {"q/value": tf.reduce_mean(value), "q/error": tf.reduce_mean(size)}
        return Errors(self.loss(error), size, metrics)

    def temporal_difference(
        self, batch: Transitions, seeds: Sequence[tf.Tensor | None] = (None, None, None)
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """R + D Q'(s_{t+n}, a*) − Q(s_t, a_t), and Q(s_t, a_t), both [B]."""
        before, behind, rewards, discounts = self._parts(batch)
        networks = self.networks
        values = networks.online(before, seeds[0])
        next_values = networks.target(behind, seeds[1])
        selector = networks.online(behind, seeds[2]) if self._config.double else next_values
        said = trfl.double_qlearning(
            values, batch.action, rewards, discounts, next_values, selector
        )
        return said.extra.td_error, trfl.batched_index(values, batch.action)

    def cross_entropy(
        self, batch: Transitions, seeds: Sequence[tf.Tensor | None] = (None, None, None)
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """To the projected target (Bellemare et al. 2017, algorithm 1), and Q(s_t, a_t), [B]."""
        before, behind, rewards, discounts = self._parts(batch)
        online, target = self.networks.online, self.networks.target
        logits = tf.gather(online.numbers(before, seeds[0]), batch.action, batch_dims=1)  # [B, K]
        next_logits = target.numbers(behind, seeds[1])  # [B, A, K]
        selector = online(behind, seeds[2]) if self._config.double else target.mean(next_logits)
        best = tf.argmax(selector, axis=1, output_type=tf.int32)
        next_logits = tf.gather(next_logits, best, batch_dims=1)
        said = trfl.categorical_dist_td_learning(
            online.atoms, logits, rewards, discounts, online.atoms, next_logits
        )
        return said.loss, online.mean(logits)

    def loss(self, error: tf.Tensor) -> tf.Tensor:
        """Of temporal differences [B]."""
        if self._config.loss == "huber":
            return trfl.huber_loss(error, 1.0)
        return 0.5 * tf.square(error)

    def _parts(self, batch: Transitions) -> tuple[tf.Tensor, ...]:
        """Stacks before and behind [B, S, …], n rewards as one and what is left of γⁿ, [B]."""
        size = self._config.frame_stack
        if self._config.clip_rewards:
            batch = batch._replace(rewards=tf.clip_by_value(batch.rewards, -1.0, 1.0))
        rewards, discounts = n_step_transition(batch, self._config.discount)
        return batch.observations[:, :size], batch.observations[:, -size:], rewards, discounts

    def _noise_seeds(self, seed: tf.Tensor) -> Sequence[tf.Tensor | None]:
        """Of the three passes, whose noise is drawn apart (Fortunato et al. 2018, section 3.1)."""
        if self._config.noise is None:
            return (None, None, None)
        return tf.unstack(tf.random.experimental.stateless_split(seed, 3))
