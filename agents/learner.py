"""What every agent's learner has in common."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import sonnet as snt
import tensorflow as tf


class Update(NamedTuple):
    """What came of one update.

    Attributes:
      metrics: scalars by name, or vectors [n] of as many measurements as there were (none: [0]).
      priorities: [B], what the batch's items are to have in a prioritised table; None: as they are.
    """

    metrics: Mapping[str, tf.Tensor]
    priorities: tf.Tensor | None = None


class Learner(tf.Module, abc.ABC):
    """Turns batches into updates of networks.

    The launcher draws the batches, so that data reaches every learner on one road and the time
    spent waiting for it is measured in one place. All state is in variables: saving the module
    saves the learner. Random numbers come from `(seed, number of the update)` alone.

    Args:
      networks: that learn, and whatever acts by them.
      seed: of the learner's randomness.
      updates: int32 variable that counts; None: one of the learner's own. Networks whose policy
        depends on the number of updates hold it, so that it is saved and served with them.

    Attributes:
      updates: done so far.
    """

    def __init__(self, networks: snt.Module, seed: int, updates: tf.Variable | None = None) -> None:
        super().__init__(name="learner")
        self.networks = networks
        self._seed = seed
        if updates is None:
            updates = tf.Variable(0, dtype=tf.int32, trainable=False, name="updates")
        self.updates = updates
        self._counted = tf.function(self._update_and_count, autograph=False, reduce_retracing=True)

    def step(self, batch: Any) -> Update:
        """Does one update on a batch of the agent's dataset, and counts it."""
        return self._counted(batch)

    def _update_and_count(self, batch: Any) -> Update:
        count = self.updates.read_value()
        update = self.update(batch, tf.stack([tf.constant(self._seed, tf.int32), count]))
        made = [values for values in tf.nest.flatten(update) if values is not None]
        with tf.control_dependencies(made):
            self.updates.assign(count + 1)
        return update

    @abc.abstractmethod
    def update(self, batch: Any, seed: tf.Tensor) -> Update:
        """The update itself, in TensorFlow's ops alone; `seed` is int32 [2].

        It runs as it is in a replica of a distribution strategy, or under XLA.
        """

    def flop(self, batch: Any) -> int:
        """Floating-point operations of an update's products, as TensorFlow counts them."""
        return products_of(self._counted.get_concrete_function(batch))

    def get_variables(self, names: Sequence[str] = ()) -> list[list[np.ndarray]]:
        """Values of the networks' variables (Acme's `VariableSource`).

        Args:
          names: attributes of the networks, such as `acting`, a list of values each; none: all
            variables, in one list.

        Raises:
          ValueError: the networks have no such part.
        """
        parts = [self._part(name) for name in names] or [self.networks]
        return [[variable.numpy() for variable in part.variables] for part in parts]

    def _part(self, name: str) -> tf.Module:
        part = getattr(self.networks, name, None)
        if not isinstance(part, tf.Module):
            there = [key for key, value in vars(self.networks).items() if _is_public(key, value)]
            listed = ", ".join(sorted(there)) or "no parts"
            raise ValueError(f"the networks have no part '{name}'; they have {listed}")
        return part


def products_of(function: Any) -> int:
    """Floating-point operations of a concrete function's products, as TensorFlow counts them."""
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(function.graph, options=options).total_float_ops


def measured_if(
    condition: tf.Tensor, names: Sequence[str], measure: Callable[[], Mapping[str, tf.Tensor]]
) -> dict[str, tf.Tensor]:
    """Metrics [1] of those names where the condition holds, else [0], not measured."""
    return tf.cond(
        condition,
        lambda: {name: value[None] for name, value in measure().items()},
        lambda: {name: tf.zeros([0]) for name in names},
    )


def _is_public(name: str, value: Any) -> bool:
    return isinstance(value, tf.Module) and not name.startswith("_")
