"""Small heads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sonnet as snt
import tensorflow as tf

ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "relu": tf.nn.relu,
    "elu": tf.nn.elu,
    "swish": tf.nn.swish,
    "tanh": tf.tanh,
}


class ScalarHead(snt.Module):
    """Features [..., F] → one number [...] through hidden layers."""

    def __init__(self, layers: Sequence[int], activation: str, name: str) -> None:
        super().__init__(name=name)
        self._mlp = snt.nets.MLP([*layers, 1], activation=ACTIVATIONS[activation], name="mlp")

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the numbers; leading dimensions are kept."""
        return tf.squeeze(self._mlp(features), axis=-1)
