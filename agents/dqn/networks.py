"""Q(s, a) for all actions at once."""

from __future__ import annotations

import sonnet as snt
import tensorflow as tf

from agents.dqn.config import DQNConfig
from agents.frame_stacking import empty_stack, into_channels


class DQNNetworks(snt.Module):
    """The network that learns and acts, and the one that its targets come from.

    Attributes:
      online, target: stacks [B, S, …] → Q [B, A].
      training_step: updates so far; the learner counts, exploration follows.
    """

    def __init__(self, config: DQNConfig, num_actions: int, observation: tf.TensorSpec) -> None:
        super().__init__(name="dqn_networks")
        self.training_step = tf.Variable(0, trainable=False, name="training_step")
        self.online = QNetwork(config, num_actions, name="online")
        self.target = QNetwork(config, num_actions, name="target")
        nothing = empty_stack(1, config.frame_stack, observation)
        self.online(nothing), self.target(nothing)
        self.renew_target(True)

    def renew_target(self, due: tf.Tensor | bool) -> None:
        """Makes the target network the online one, where that is due."""
        for theirs, ours in zip(self.target.variables, self.online.variables, strict=True):
            theirs.assign(tf.where(due, ours, theirs))


class QNetwork(snt.Module):
    """Convolutions where there are images, dense layers, and a head."""

    def __init__(self, config: DQNConfig, num_actions: int, name: str) -> None:
        super().__init__(name=name)
        self._convolutions = []
        if config.torso == "atari":
            sizes = zip(config.channels, config.kernels, config.strides, strict=True)
            self._convolutions = [
                snt.Conv2D(channels, kernel, stride, padding="VALID", name=f"conv_{i}")
                for i, (channels, kernel, stride) in enumerate(sizes)
            ]
        layers = config.hidden_layers
        self._advantage = snt.nets.MLP([*layers, num_actions], name="advantage")
        self._value = snt.nets.MLP([*layers, 1], name="value") if config.dueling else None

    def __call__(self, stack: tf.Tensor) -> tf.Tensor:
        """Stacks [B, S, …], bytes of pixels or numbers, → Q [B, A]."""
        seen = into_channels(stack)
        hidden = tf.cast(seen, tf.float32)
        hidden = hidden / 255.0 if seen.dtype == tf.uint8 else hidden
        for layer in self._convolutions:
            hidden = tf.nn.relu(layer(hidden))
        hidden = snt.flatten(hidden)
        advantage = self._advantage(hidden)
        if self._value is None:
            return advantage
        return self._value(hidden) + advantage - tf.reduce_mean(advantage, axis=1, keepdims=True)
