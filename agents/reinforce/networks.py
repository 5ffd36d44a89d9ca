"""The policy π(a | s), and the baseline V(s)."""

from __future__ import annotations

import sonnet as snt
import tensorflow as tf
from dm_env import specs

from agents.networks.mlp import ACTIVATIONS, ScalarHead
from agents.networks.policy_heads import policy_head
from agents.reinforce.config import ReinforceConfig


class ReinforceNetworks(snt.Module):
    """What acts, and what its returns are compared with; they share nothing.

    Attributes:
      policy: observations [..., D] → a distribution over actions.
      baseline: observations [..., D] → V [...]; None: there is none.
    """

    def __init__(self, config: ReinforceConfig, size: int, actions: specs.Array) -> None:
        super().__init__(name="reinforce_networks")
        activation = ACTIVATIONS[config.activation]
        torso = snt.nets.MLP(config.hidden_layers, activation=activation, activate_final=True)
        head = policy_head(actions, config.initial_stddev, "REINFORCE")
        self.policy, self.baseline = snt.Sequential([torso, head], name="policy"), None
        if config.baseline:
            self.baseline = ScalarHead(config.hidden_layers, config.activation, name="baseline")
        nothing = tf.zeros([1, size])
        self.policy(nothing), self.value(nothing)

    def value(self, observation: tf.Tensor) -> tf.Tensor:
        """Observations [R, D] → V [R], which is 0 without a baseline."""
        if self.baseline is None:
            return tf.zeros(tf.shape(observation)[:1])
        return self.baseline(observation)
