"""What learners of agents that search a tree have in common: networks, descent, XLA."""

from __future__ import annotations

import abc
from typing import Any

import tensorflow as tf

from agents.averaging import OnlineAndActing
from agents.learner import Learner
from agents.searching.config import SearchingConfig
from agents.searching.descent import Descent

Gradients = tuple[list[tf.Tensor], dict[str, tf.Tensor]]


class SearchingLearner(Learner):
    """One call of `step` is one update.

    Attributes:
      network: that learns.
    """

    indivisible = None

    def __init__(self, config: SearchingConfig, networks: OnlineAndActing, seed: int) -> None:
        super().__init__(networks, seed, updates=networks.online.training_step)
        _check_compiles(config, self._strategy)
        self._config = config
        self.network = networks.online
        self._variables = self.network.trainable_variables
        self._descent = Descent(config, networks)

    @abc.abstractmethod
    def loss(self, *data: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss of a batch, and what is to be told of it."""

    def gradients(self, *data: Any) -> Gradients:
        """The gradients of the loss, in the variables' order, and the loss's parts."""
        with tf.GradientTape() as tape:
            loss, metrics = self.loss(*data)
        return tape.gradient(loss, self._variables), metrics

    def _gradients(self, *data: Any) -> Gradients:
        """`gradients`, by XLA where the configuration says so."""
        function = tf.function(self.gradients, autograph=False, jit_compile=True)
        return (function if self._config.jit_compile else self.gradients)(*data)


def _check_compiles(config: SearchingConfig, strategy: tf.distribute.Strategy | None) -> None:
    mirrored = isinstance(strategy, tf.distribute.MirroredStrategy)
    if not (config.jit_compile and mirrored and config.normalisation == "batch"):
        return
    if strategy.num_replicas_in_sync > 1:
        raise ValueError(
            f"{type(config).__name__}.jit_compile is True, but replicas of 'mirrored' meet in each "
            "batch normalisation, which XLA does not compile; expected False, or another "
            "normalisation"
        )
