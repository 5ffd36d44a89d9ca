"""Q of all actions, by what is seen and what is remembered."""

from __future__ import annotations

import sonnet as snt
import tensorflow as tf

from agents.networks.perception import Convolutions, Dense
from agents.q_learning.heads import QHead
from agents.q_learning.networks import TargetedNetworks
from agents.r2d2.config import R2D2Config
from agents.recurrent.torso import Memory, RecurrentTorso
from agents.rollouts import Rollouts


class R2D2Networks(TargetedNetworks):
    """The network that learns and acts, and the one that its targets come from.

    Attributes:
      online, target: `RecurrentQNetwork`s.
    """

    def __init__(self, config: R2D2Config, num_actions: int, observation: tf.TensorSpec) -> None:
        online = RecurrentQNetwork(config, num_actions, observation)
        nothing = tf.zeros([1, *observation.shape], observation.dtype)
        online.act(nothing, online.torso.initial_state(1))
        super().__init__(online, name="r2d2_networks")


class RecurrentQNetwork(snt.Module):
    """A torso with a core, and a head.

    Attributes:
      torso: what is seen and remembered → features.
    """

    def __init__(self, config: R2D2Config, num_actions: int, observation: tf.TensorSpec) -> None:
        super().__init__(name="recurrent_q_network")
        if config.torso == "mlp":
            perception = Dense(config.torso_layers)
        else:
            sizes = (config.channels, config.kernels, config.strides)
            perception = Convolutions(*sizes, config.torso_layers)
        self.torso = RecurrentTorso(
            perception, config.frame_stack, config.core_size, num_actions, observation
        )
        self._head = QHead(config.hidden_layers, num_actions, dueling=config.dueling)

    def act(self, observation: tf.Tensor, state: Memory) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Q [B, A] for observations [B, …], and the memory but for the action that is taken."""
        features, following = self.torso.step(observation, state)
        return tf.squeeze(self._head(features), axis=-1), following

    def unroll(self, batch: Rollouts, burn_in: int) -> tf.Tensor:
        """Q [B, T + 1 − burn_in, A] of sequences' rows behind the burn-in."""
        features = self.torso.unroll(
            batch.observation, batch.action, batch.start_of_episode, batch.state, burn_in
        )
        return tf.squeeze(self._head(features), axis=-1)
