"""The weights of a latent dynamics model with a reward head, as `plan_latent` takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

ACTIVATIONS = {"relu": tf.nn.relu, "elu": tf.nn.elu, "swish": tf.nn.swish}
MAX_LAYERS = 16


class Layer(NamedTuple):
    """y = x · weights + bias: weights [in, out], bias [out]."""

    weights: tf.Tensor
    bias: tf.Tensor


class LatentModel(NamedTuple):
    """PlaNet's imagined step (Hafner et al. 2019, equation 4) and reward head, and its variants.

        x = input layers of [s, a]               activated throughout
        h' = GRU(x, h);  without a GRU: x        z, r, c: the reset gate behind the product
        mean, spread = prior layers of h'        the last one is not activated
        s' = mean + (softplus(spread) + min_stddev) · noise
        reward = reward layers of [h', s']       the last one is not activated

    Attributes:
      input: layers; the first one takes the stochastic state [S, …].
      action_weights: [A, …] the action's share of the first layer.
      gru: none (SSM: h is not carried and the reward sees s' alone), or two layers, of the input
        and of the state, to the gates [z, r, c] side by side.
      prior: layers to 2·S numbers, or to S (RNN: s' is the mean).
      reward: layers to one number.
      activation: `relu`, `elu` or `swish`.
      min_stddev: added to each softplus.
    """

    input: Sequence[Layer]
    action_weights: tf.Tensor
    gru: Sequence[Layer]
    prior: Sequence[Layer]
    reward: Sequence[Layer]
    activation: str
    min_stddev: float


def check(model: LatentModel, deterministic_size: int, stochastic_size: int) -> None:
    """Raises a ValueError that names the first part of the model that does not fit."""
    if model.activation not in ACTIVATIONS:
        raise ValueError(
            f"model.activation is {model.activation!r}; expected one of {tuple(ACTIVATIONS)}"
        )
    gates = 3 * deterministic_size
    hidden = _check_layers("input", model.input, stochastic_size)
    _check_shape("action_weights", model.action_weights, [None, model.input[0].weights.shape[1]])
    if model.action_weights.shape[0] < 1:
        raise ValueError("model.action_weights has no rows; expected at least one action")
    if len(model.gru) != (2 if deterministic_size else 0):
        raise ValueError(
            f"model.gru has {len(model.gru)} layers; expected 2 with a deterministic state, 0 "
            f"without one, which has {deterministic_size} columns"
        )
    for layer, size in zip(model.gru, (hidden, deterministic_size), strict=False):
        _check_shape("gru", layer.weights, [size, gates])
        _check_shape("gru", layer.bias, [gates])
    outputs = _check_layers("prior", model.prior, deterministic_size or hidden)
    if outputs not in (stochastic_size, 2 * stochastic_size):
        raise ValueError(
            f"model.prior ends in {outputs} outputs; expected {stochastic_size} or "
            f"{2 * stochastic_size}"
        )
    rewards = _check_layers("reward", model.reward, deterministic_size + stochastic_size)
    if rewards != 1:
        raise ValueError(f"model.reward ends in {rewards} outputs; expected 1")


def _check_layers(name: str, layers: Sequence[Layer], size: int) -> int:
    """The width of the last layer."""
    if not 1 <= len(layers) <= MAX_LAYERS:
        raise ValueError(f"model.{name} has {len(layers)} layers; expected 1 to {MAX_LAYERS}")
    for i, layer in enumerate(layers):
        _check_shape(f"{name}[{i}].weights", layer.weights, [size, None])
        size = layer.weights.shape[1]
        _check_shape(f"{name}[{i}].bias", layer.bias, [size])
    return size


def _check_shape(name: str, values: tf.Tensor, expected: list[int | None]) -> None:
    if not values.shape.is_fully_defined() or not values.shape.is_compatible_with(expected):
        raise ValueError(f"model.{name} has shape {values.shape}; expected {expected}")
