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


class LayerNormMLP(snt.Module):
    """Features [B, F] → [B, layers[-1]]: layer normalisation and tanh behind the first, then ELU.

    It keeps the first layer's units within bounds whatever the scale of states (Barth-Maron et al.
    2018; Acme's networks for control).
    """

    def __init__(self, layers: Sequence[int], activate_final: bool, name: str) -> None:
        super().__init__(name=name)
        self._first = snt.Linear(layers[0], name="first")
        self._normalisation = snt.LayerNorm(-1, create_scale=True, create_offset=True)
        self._rest = None
        if len(layers) > 1:
            rest = list(layers[1:])
            self._rest = snt.nets.MLP(
                rest, activation=tf.nn.elu, activate_final=activate_final, name="rest"
            )

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the last layer's units."""
        hidden = tf.tanh(self._normalisation(self._first(features)))
        return hidden if self._rest is None else self._rest(hidden)
