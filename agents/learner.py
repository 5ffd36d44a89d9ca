"""What every agent's learner has in common."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

import sonnet as snt
import tensorflow as tf


class Learner(tf.Module, abc.ABC):
    """Turns batches into updates of a network.

    The launcher draws the batches, so that data reaches every learner on one road and the time
    spent waiting for it is measured in one place. All state is in variables: saving the module
    saves the learner. Random numbers come from `(seed, number of the update)` alone.
    """

    def __init__(self, network: snt.Module, seed: int) -> None:
        super().__init__(name="learner")
        self._network = network
        self._seed = seed
        self.updates = tf.Variable(0, dtype=tf.int32, trainable=False, name="updates")

    def step(self, batch: Any) -> Mapping[str, tf.Tensor]:
        """Does one update on a batch of the agent's dataset and returns its metrics."""
        seed = tf.stack([tf.constant(self._seed, tf.int32), self.updates.read_value()])
        metrics = self._update(batch, seed)
        self.updates.assign_add(1)
        return metrics

    def take_priorities(self) -> tuple[tf.Tensor, tf.Tensor] | None:
        """What the last step wants written back to the table it learned from, once.

        Returns:
          keys uint64 [B] (`Sample.key`) and their new priorities [B]; None: nothing is written.
        """
        return None

    def flop(self, batch: Any) -> int:
        """Floating-point operations of an update, those of its products and convolutions."""
        seed = tf.TensorSpec([2], tf.int32)
        graph = self._update.get_concrete_function(batch, seed).graph
        options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
        options["output"] = "none"
        return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops

    @abc.abstractmethod
    def _update(self, batch: Any, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """The update itself, a `tf.function`; `seed` is int32 [2]."""

    def get_variables(self, names: Sequence[str] = ()) -> list[list[Any]]:
        """Values of the network's variables (Acme's `VariableSource`)."""
        return [[variable.numpy() for variable in self._network.variables]]
