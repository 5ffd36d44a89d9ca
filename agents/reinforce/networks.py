"""The policy π(a | s), and the baseline V(s)."""

from __future__ import annotations

import sonnet as snt
import tensorflow as tf
import tensorflow_probability as tfp
from dm_env import specs

from agents.networks.mlp import ACTIVATIONS, ScalarHead
from agents.networks.policy_heads import policy_head
from agents.reinforce.config import ReinforceConfig


class ReinforceNetworks(snt.Module):
    """What acts, and what its returns are compared with.

    Attributes:
      policy: observations [..., D] → a distribution over actions.
      baseline: the layers that V alone has; None: there is no baseline.
    """

    def __init__(self, config: ReinforceConfig, size: int, actions: specs.Array) -> None:
        super().__init__(name="reinforce_networks")
        head, torso = policy_head(actions, config.initial_stddev, "REINFORCE"), _torso(config)
        self.policy, self.baseline = snt.Sequential([torso, head], name="policy"), None
        if config.baseline:
            own = [] if config.shared_torso else [_torso(config)]
            value = ScalarHead((), config.activation, name="value")
            self.baseline = snt.Sequential([*own, value], name="baseline")
        self._shared = torso if config.shared_torso else tf.identity
        self(tf.zeros([1, size]))

    def __call__(self, observation: tf.Tensor) -> tuple[tfp.distributions.Distribution, tf.Tensor]:
        """Observations [R, D] → distributions [R] and V [R], which is 0 without a baseline."""
        values = tf.zeros(tf.shape(observation)[:1])
        if self.baseline is not None:
            values = self.baseline(self._shared(observation))
        return self.policy(observation), values


def _torso(config: ReinforceConfig) -> snt.Module:
    activation = ACTIVATIONS[config.activation]
    return snt.nets.MLP(config.hidden_layers, activation=activation, activate_final=True)
