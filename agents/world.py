"""A learned world that can be stepped: for imagination, for benchmarks, and to be played in."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf


class WorldStep(NamedTuple):
    """With what a world answers actions.

    Attributes:
      observation: [B, …].
      reward, discount: float32 [B].
      state: that the next step takes, a nest of [B, …].
    """

    observation: Any
    reward: tf.Tensor
    discount: tf.Tensor
    state: Any


class World(tf.Module, abc.ABC):
    """What an environment is made of in a model: batched, with explicit state and randomness.

    Attributes:
      observation_spec: `tf.TensorSpec` of one observation, without B.
      action_spec: `tf.TensorSpec` of one action, without B.
      meanings: what the parts of its state are, by name: for whoever plays in it.
    """

    observation_spec: tf.TensorSpec
    action_spec: tf.TensorSpec
    meanings: Mapping[str, str] = {}

    @abc.abstractmethod
    def reset(self, observation: tf.Tensor) -> Any:
        """State, a nest of [B, …], of episodes that begin with observations [B, …]."""

    @abc.abstractmethod
    def seen(self, state: Any, observation: tf.Tensor) -> Any:
        """The state behind observations [B, …] that were real, in the place of imagined ones."""

    @abc.abstractmethod
    def step(self, state: Any, action: tf.Tensor, seed: tf.Tensor) -> WorldStep:
        """Does actions [B, …]; equal seeds, int32 [2], give equal steps."""
