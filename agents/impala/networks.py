"""π(a | s) and V(s) over a torso that they share."""

from __future__ import annotations

from typing import Any

import sonnet as snt
import tensorflow as tf
from dm_env import specs

from agents.impala.config import ImpalaConfig
from agents.networks.perception import Convolutions, Dense, ResidualConvolutions
from agents.networks.policy_heads import CategoricalHead
from agents.recurrent.torso import Memory, RecurrentTorso
from agents.rollouts import Rollouts


class ImpalaNetworks(snt.Module):
    """Torso, policy and critic.

    Attributes:
      torso: what is seen and remembered → features.
    """

    def __init__(
        self, config: ImpalaConfig, actions: specs.DiscreteArray, observation: tf.TensorSpec
    ) -> None:
        super().__init__(name="impala_networks")
        self.torso = RecurrentTorso(
            _perception(config),
            config.frame_stack,
            config.core_size,
            actions.num_values,
            observation,
        )
        self._policy, self._value = CategoricalHead(actions), snt.Linear(1, name="value")
        state = self.torso.initial_state(1)
        features, _ = self.torso.step(tf.zeros([1, *observation.shape], observation.dtype), state)
        self._policy(features), self._value(features)

    def act(self, observation: tf.Tensor, state: Memory) -> tuple[Any, dict[str, tf.Tensor]]:
        """π for observations [B, …], and the memory but for the action that is then taken."""
        features, following = self.torso.step(observation, state)
        return self._policy(features), following

    def unroll(self, batch: Rollouts) -> tuple[Any, tf.Tensor]:
        """π of the rows [B, T], and V [B, T + 1]."""
        features = self.torso.unroll(
            batch.observation, batch.action, batch.start_of_episode, batch.state or {}
        )
        return self._policy(features[:, :-1]), tf.squeeze(self._value(features), axis=-1)


def _perception(config: ImpalaConfig) -> snt.Module:
    if config.torso == "mlp":
        return Dense(config.hidden_layers, config.activation)
    if config.torso == "deep":
        return ResidualConvolutions(config.deep_channels, config.hidden_layers)
    sizes = (config.channels, config.kernels, config.strides)
    return Convolutions(*sizes, config.hidden_layers)
