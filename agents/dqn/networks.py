"""Q(s, a) for all actions at once."""

from __future__ import annotations

import sonnet as snt
import tensorflow as tf

from agents.dqn.config import DQNConfig
from agents.frame_stacking import empty_stack, into_channels
from agents.networks.perception import Convolutions, as_numbers
from agents.q_learning.heads import QHead
from agents.q_learning.networks import TargetedNetworks


class DQNNetworks(TargetedNetworks):
    """The network that learns and acts, and the one that its targets come from.

    Attributes:
      online, target: `QNetwork`s.
    """

    def __init__(self, config: DQNConfig, num_actions: int, observation: tf.TensorSpec) -> None:
        online = QNetwork(config, num_actions)
        online(empty_stack(1, config.frame_stack, observation))
        super().__init__(online, name="dqn_networks")


class QNetwork(snt.Module):
    """Convolutions where there are images, dense layers, and a head.

    Attributes:
      atoms: [K], the returns that a distribution's categories stand for; None: there is none.
    """

    def __init__(self, config: DQNConfig, num_actions: int) -> None:
        super().__init__(name="q_network")
        self._convolutions = None
        if config.torso == "atari":
            self._convolutions = Convolutions(config.channels, config.kernels, config.strides)
        self.atoms = None
        if config.distributional:
            self.atoms = tf.linspace(config.min_return, config.max_return, config.num_atoms)
        outputs = config.num_atoms if config.distributional else 1
        self._head = QHead(config.hidden_layers, num_actions, outputs, config.dueling, config.noise)

    def __call__(self, stack: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Stacks [B, S, …], bytes of pixels or numbers, → Q [B, A]; `seed` draws the noise."""
        return self.mean(self.numbers(stack, seed))

    def numbers(self, stack: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Stacks [B, S, …] → Q [B, A, 1], or logits of the atoms [B, A, K]."""
        seen = into_channels(stack)
        if self._convolutions is None:
            hidden = snt.flatten(as_numbers(seen))
        else:
            hidden = self._convolutions(seen)
        return self._head(hidden, seed)

    def mean(self, numbers: tf.Tensor) -> tf.Tensor:
        """Of what `numbers` gives, Q [B, A]."""
        if self.atoms is None:
            return tf.squeeze(numbers, axis=-1)
        return tf.linalg.matvec(tf.nn.softmax(numbers), self.atoms)
