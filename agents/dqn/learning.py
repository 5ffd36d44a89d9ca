"""DQN's learner: a step of Q towards its own bootstrap, on transitions from replay."""

from __future__ import annotations

import tensorflow as tf
import trfl

from agents.dqn.config import DQNConfig
from agents.dqn.networks import DQNNetworks
from agents.learner import Learner, Update
from agents.optimizers import Adam, RMSProp, clipped, decayed
from agents.transitions import Transitions, n_step_transition


class DQNLearner(Learner):
    """One call of `step` is one update, on a batch of transitions (paper, algorithm 1)."""

    def __init__(self, config: DQNConfig, networks: DQNNetworks, seed: int) -> None:
        super().__init__(networks, seed, updates=networks.training_step)
        self._config = config
        self._variables = networks.online.trainable_variables
        if config.optimizer == "adam":
            settings = {"epsilon": config.epsilon}
            self._optimizer = Adam(self._variables, config.learning_rate, **settings)
        else:
            settings = (config.rms_decay, config.momentum, config.epsilon)
            self._optimizer = RMSProp(self._variables, config.learning_rate, *settings)

    def update(self, batch: Transitions, seed: tf.Tensor) -> Update:
        """See `Learner.update`; the target network is renewed behind it."""
        config = self._config
        with tf.GradientTape() as tape:
            error, value = self.temporal_difference(batch)
            loss = tf.reduce_mean(self.loss(error))
        gradients, norm = clipped(tape.gradient(loss, self._variables), config.gradient_clip)
        rate = decayed(config.learning_rate, config.decay_updates, seed[1])
        self._optimizer.apply(gradients, rate)
        self.networks.renew_target((seed[1] + 1) % config.target_period == 0)
        metrics = {
            "loss/q": loss,
            "q/value": tf.reduce_mean(value),
            "q/error": tf.reduce_mean(tf.abs(error)),
            "learner/gradient_norm": norm,
        }
        return Update(metrics)

    def temporal_difference(self, batch: Transitions) -> tuple[tf.Tensor, tf.Tensor]:
        """R + D Q'(s_{t+n}, a*) − Q(s_t, a_t), and Q(s_t, a_t), both [B]."""
        size, networks = self._config.frame_stack, self.networks
        before, behind = batch.observations[:, :size], batch.observations[:, -size:]
        if self._config.clip_rewards:
            batch = batch._replace(rewards=tf.clip_by_value(batch.rewards, -1.0, 1.0))
        rewards, discounts = n_step_transition(batch, self._config.discount)
        values, next_values = networks.online(before), networks.target(behind)
        if self._config.double:
            selector = networks.online(behind)
            target = (rewards, discounts, next_values, selector)
            said = trfl.double_qlearning(values, batch.action, *target)
        else:
            said = trfl.qlearning(values, batch.action, rewards, discounts, next_values)
        return said.extra.td_error, trfl.batched_index(values, batch.action)

    def loss(self, error: tf.Tensor) -> tf.Tensor:
        """Of temporal differences [B]."""
        if self._config.loss == "huber":
            return trfl.huber_loss(error, 1.0)
        return 0.5 * tf.square(error)
