"""What learners of Q do before and behind their temporal differences."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import tensorflow as tf

from agents.learner import Learner, Update
from agents.off_policy import importance_weights
from agents.optimizers import Adam, RMSProp, clipped, decayed, gradient
from agents.q_learning.config import QConfig
from agents.q_learning.exploration import between
from agents.q_learning.networks import TargetedNetworks
from agents.types import Sample


class Errors(NamedTuple):
    """How wrong the network is about each item of a batch.

    Attributes:
      loss: [B], whose gradient is taken.
      priority: [B], the items' next ones, without a gradient.
      metrics: scalars.
    """

    loss: Any
    priority: Any
    metrics: dict[str, tf.Tensor]


class QLearner(Learner):
    """One call of `step` is one update: a step down the loss, then perhaps a new target network."""

    indivisible = None

    _LEAST_PRIORITY = 1e-6

    def __init__(self, config: QConfig, networks: TargetedNetworks, seed: int) -> None:
        super().__init__(networks, seed, updates=networks.training_step)
        self._config = config
        self._variables = networks.online.trainable_variables
        if config.optimizer == "adam":
            settings = {"epsilon": config.epsilon}
            self._optimizer = Adam(self._variables, config.learning_rate, **settings)
        else:
            settings = (config.rms_decay, config.momentum, config.epsilon)
            self._optimizer = RMSProp(self._variables, config.learning_rate, *settings)

    @abc.abstractmethod
    def errors(self, batch: Any, seed: tf.Tensor) -> Errors:
        """Of the online network about items, `seed` int32 [2] of what is drawn for it."""

    def update(self, batch: Any, seed: tf.Tensor) -> Update:
        """See `Learner.update`; the target network is renewed behind it."""
        config, prioritized = self._config, isinstance(batch, Sample)
        items, weights = (batch.trajectory if prioritized else batch), tf.constant(1.0)
        if prioritized:
            exponent = between(config.importance_exponents, config.importance_updates, seed[1])
            weights = importance_weights(batch, exponent)
        with tf.GradientTape() as tape:
            found = self.errors(items, seed)
            loss = tf.reduce_mean(weights * found.loss)
        gradients = gradient(tape, loss, self._variables)
        gradients, norm = clipped(gradients, config.gradient_clip)
        rate = decayed(config.learning_rate, config.decay_updates, seed[1])
        self._optimizer.apply(gradients, rate)
        self.networks.renew_target((seed[1] + 1) % config.target_period == 0)
        metrics = {"loss/q": loss, "learner/gradient_norm": norm, **found.metrics}
        priorities = tf.maximum(found.priority, self._LEAST_PRIORITY) if prioritized else None
        return Update(metrics, priorities)
