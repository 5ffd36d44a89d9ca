"""From gradients to weights, and to those that act: optimiser, learning rate, decay, average."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from agents.averaging import OnlineAndActing
from agents.optimizers import Adam, Momentum
from agents.searching.config import SearchingConfig


class Descent(tf.Module):
    """Takes the steps of one learner."""

    def __init__(self, config: SearchingConfig, networks: OnlineAndActing) -> None:
        super().__init__(name="descent")
        self._config, self._networks = config, networks
        self._variables = networks.online.trainable_variables
        self._optimizer = (
            Adam(self._variables, config.learning_rate)
            if config.optimizer == "adam"
            else Momentum(self._variables, config.learning_rate, config.momentum)
        )

    def step(self, gradients: Sequence[tf.Tensor], update: tf.Tensor) -> None:
        """Changes the weights by gradients in their order; `update` is int32, the update's number.

        Weights alone decay, not offsets or scales.
        """
        config = self._config
        if config.gradient_clip is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, config.gradient_clip)
        rate = learning_rate(self._networks.online.training_step, config)
        if config.optimizer == "adam":
            for variable in filter(_decays, self._variables):
                variable.assign_sub(rate * config.weight_decay * variable)
        else:
            gradients = [
                gradient + config.weight_decay * variable if _decays(variable) else gradient
                for gradient, variable in zip(gradients, self._variables, strict=True)
            ]
        self._optimizer.apply(gradients, rate)
        self._networks.follow(update + 1)


def learning_rate(step: tf.Tensor, config: SearchingConfig) -> tf.Tensor:
    """learning_rate · decay_rate ** x: x is the number of drops that are past, or step / steps."""
    if config.learning_rate_drops:
        drops = tf.constant(config.learning_rate_drops, tf.int32)
        exponent = tf.reduce_sum(tf.cast(step >= drops, tf.float32))
    else:
        exponent = tf.cast(step, tf.float32) / float(config.decay_steps)
    return config.learning_rate * tf.pow(tf.constant(config.decay_rate, tf.float32), exponent)


def _decays(variable: tf.Variable) -> bool:
    return variable.shape.rank > 1
