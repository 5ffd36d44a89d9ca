"""The one object that acts, is evaluated and is served."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import tensorflow as tf


class Policy(tf.Module, abc.ABC):
    """Maps observations to actions, batched, with explicit state and explicit randomness.

    `state` is a nest of tensors with leading dimension B, so that rows can be reset one by one;
    `seed` is int32 [2]: equal inputs give equal actions.

    Attributes:
      observation_spec: `tf.TensorSpec` of one observation, without B, or a nest of them.
      action_spec: `tf.TensorSpec` of one action, without B.
      options: further inputs of `step` that whoever is served may set, int scalars by name, with
        what they are by default; `step` takes them behind `seed`, in this order.
      meanings: what observations, state, info and options mean and their ranges, by their names in
        a SavedModel (`observation_<name>`, `state_<name>`, `info_<name>`): for whoever is served.
    """

    observation_spec: Any
    action_spec: tf.TensorSpec
    options: Mapping[str, int] = {}
    meanings: Mapping[str, str] = {}

    @abc.abstractmethod
    def initial_state(self, batch_size: int | tf.Tensor) -> Any:
        """State at the start of an episode, a nest of [B, …]."""

    @abc.abstractmethod
    def step(
        self, observation: Any, state: Any, seed: tf.Tensor
    ) -> tuple[tf.Tensor, Any, dict[str, tf.Tensor]]:
        """Acts.

        Args:
          observation: [B, …], or a nest of them.
          state: what the last step, or `initial_state`, returned.
          seed: int32 [2].

        Returns:
          action [B, …], the next state, and info: a dict of [B, …] tensors, written to the replay
          table by agents that ask for it.
        """


class RandomPolicy(Policy):
    """Uniform over the bounds of the actions, for seed episodes and as the baseline."""

    def __init__(
        self, observation_spec: Any, action_spec: tf.TensorSpec, low: Any, high: Any
    ) -> None:
        super().__init__(name="random_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._low = tf.constant(low, action_spec.dtype)
        self._high = tf.constant(high, action_spec.dtype)

    def initial_state(self, batch_size: int | tf.Tensor) -> Any:
        """No state: an empty dict."""
        return {}

    @tf.function(autograph=False)
    def step(self, observation, state, seed):
        """Draws actions [B, …] from the half-open interval [low, high); see `Policy.step`."""
        batch_size = tf.shape(tf.nest.flatten(observation)[0])[:1]
        shape = tf.concat([batch_size, self.action_spec.shape], axis=0)
        low = tf.broadcast_to(self._low, shape[1:])
        high = tf.broadcast_to(self._high, shape[1:])
        if self.action_spec.dtype.is_floating:
            uniform = tf.random.stateless_uniform(shape, seed, dtype=self.action_spec.dtype)
            return low + (high - low) * uniform, state, {}
        # Integers include their upper bound.
        uniform = tf.random.stateless_uniform(shape, seed)
        span = tf.cast(high - low + 1, tf.float32)
        return low + tf.cast(uniform * span, self.action_spec.dtype), state, {}
