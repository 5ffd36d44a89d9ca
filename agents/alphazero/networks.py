"""AlphaZero's one network, (p, v) = f(s) (Silver et al. 2017, methods).

planes ─── residual tower ──┬── policy
                            └── value
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sonnet as snt
import tensorflow as tf

from agents.alphazero.config import AlphaZeroConfig
from agents.networks.residual import (
    NormalisedConv,
    PredictionHead,
    ResidualTower,
    start_from_unit_variance,
)
from ops.games import Rules


class Prediction(NamedTuple):
    """What the network says of a batch of positions.

    Attributes:
      prior_logits: [B, A], of illegal actions too.
      value: [B], −1 to 1, what the mover is expected to get.
    """

    prior_logits: tf.Tensor
    value: tf.Tensor


class AlphaZeroNetwork(snt.Module):
    """The network of one agent.

    Attributes:
      num_actions: A.
      rules: that make planes of the packed states that are seen; None: planes are seen.
      training_step: updates so far; the learner counts, the temperature follows.
    """

    def __init__(
        self,
        config: AlphaZeroConfig,
        num_actions: int,
        shape: Sequence[int],
        rules: Rules | None,
    ) -> None:
        """Makes all variables; `shape` is that of a position's planes, [H, W, P]."""
        super().__init__(name="alphazero")
        self.num_actions, self.rules = num_actions, rules
        self.training_step = tf.Variable(0, trainable=False, name="training_step")
        width, kind = config.channels, config.normalisation
        self._first = NormalisedConv(width, 3, kind)
        self._tower = ResidualTower(config.blocks, width, kind)
        self._policy = PredictionHead(config.policy_channels, (), num_actions, kind, "policy")
        self._value = PredictionHead(config.value_channels, config.value_layers, 1, kind, "value")
        self(tf.zeros([1, *shape]))
        start_from_unit_variance(self)

    def planes(self, seen: tf.Tensor) -> tf.Tensor:
        """What is seen of positions, [B, …], as planes [B, H, W, P]."""
        return seen if self.rules is None else self.rules.observe(seen)

    def __call__(self, planes: tf.Tensor, is_training: bool = False) -> Prediction:
        """Predicts from planes [B, H, W, P]; batch normalisation heeds `is_training`."""
        image = self._tower(tf.nn.relu(self._first(planes, is_training)), is_training)
        value = tf.tanh(self._value(image, is_training)[:, 0])
        return Prediction(self._policy(image, is_training), value)
