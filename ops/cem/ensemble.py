"""Networks of one shape side by side, as a planner in state space asks them (PETS)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from ops import loader
from ops.cem import backends, native
from ops.cem.latent_model import ACTIVATIONS

Forward = Callable[[tf.Tensor], tf.Tensor]


def ensemble_forward(
    weights: Sequence[tf.Tensor],
    biases: Sequence[tf.Tensor],
    activation: str,
    precision: str = "float32",
    backend: str = "auto",
) -> Forward:
    """An ensemble's layers as a function: inputs [E, N, in] → outputs [E, N, out].

    Member e's layers see row e; activations stand between layers, none behind the last. The native
    op keeps a tile of rows in the caches through all layers and packs the weights here, so make the
    function outside of a planner's loop and call it inside. It has no gradient.

    Args:
      weights: of each layer, [E, in, out].
      biases: of each layer, [E, out].
      activation: `relu`, `elu` or `swish`.
      precision: of the products' factors, whose sums are float32. `bfloat16` takes the native op,
        and a GPU or a processor with AVX512_BF16.
      backend: `native` (the op), `tensorflow`, or `auto`, which is the second on a GPU.

    Raises:
      ValueError: an argument is out of its range or of the wrong shape; the message names it.
      tf.errors.InvalidArgumentError: the processor has no products of `precision`.
    """
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation is {activation!r}; expected one of {tuple(ACTIVATIONS)}")
    if backend == "auto" and loader.has_gpu():
        backend = "tensorflow"
    backend = backends.resolve(backend)
    backends.check_precision(precision, backend)
    weights = [tf.cast(layer, tf.float32) for layer in weights]
    biases = [tf.cast(layer, tf.float32) for layer in biases]
    _check_layers(weights, biases)
    if backend == "tensorflow":
        return lambda inputs: _forward(weights, biases, ACTIVATIONS[activation], inputs)
    return native.ensemble_forward(weights, biases, activation, precision)


def _forward(weights, biases, activation, inputs: tf.Tensor) -> tf.Tensor:
    hidden = inputs
    for layer, bias in zip(weights[:-1], biases[:-1], strict=True):
        hidden = activation(tf.matmul(hidden, layer) + bias[:, None])
    return tf.matmul(hidden, weights[-1]) + biases[-1][:, None]


def _check_layers(weights: list[tf.Tensor], biases: list[tf.Tensor]) -> None:
    if not weights or len(weights) != len(biases):
        raise ValueError(
            f"weights has {len(weights)} layers and biases {len(biases)}; expected as many, "
            "at least 1"
        )
    for i, (layer, bias) in enumerate(zip(weights, biases, strict=True)):
        if not layer.shape.is_fully_defined() or layer.shape.rank != 3:
            raise ValueError(f"weights[{i}] has shape {layer.shape}; expected [E, in, out]")
        members, size = weights[0].shape[0], layer.shape[1]
        if layer.shape[0] != members or (i and size != weights[i - 1].shape[2]):
            expected = f"[{members}, {weights[i - 1].shape[2] if i else size}, out]"
            raise ValueError(f"weights[{i}] has shape {layer.shape}; expected {expected}")
        if bias.shape != (members, layer.shape[2]):
            raise ValueError(
                f"biases[{i}] has shape {bias.shape}; expected {[members, layer.shape[2]]}"
            )
