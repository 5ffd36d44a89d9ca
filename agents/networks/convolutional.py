"""Convolutional encoder and decoder for images (World Models' architecture, as PlaNet uses it)."""

from __future__ import annotations

from collections.abc import Sequence

import sonnet as snt
import tensorflow as tf

from agents.networks.geometry import decoded_size
from agents.networks.perception import Convolutions


class ConvolutionalEncoder(Convolutions):
    """Images [N, size, size, C] → features [N, F]: convolutions of stride 2, then dense layers."""

    def __init__(
        self,
        channels: Sequence[int],
        kernels: Sequence[int],
        dense: Sequence[int] = (),
        name: str = "encoder",
    ) -> None:
        super().__init__(channels, kernels, [2] * len(kernels), dense, name)


class ConvolutionalDecoder(snt.Module):
    """Features [N, F] → images [N, size, size, C]; dense layers, then strided transposed ones.

    Rectifiers stand between the dense layers and in front of every transposed one but the first
    (PlaNet's), unless the first is the last: a dense decoder has them behind every hidden layer.

    The first transposed convolution works on a 1×1 image, where it is a dense layer to
    kernel × kernel × channels; it is written as that, which is much faster on a CPU.
    """

    def __init__(
        self,
        dense: Sequence[int],
        channels: Sequence[int],
        kernels: Sequence[int],
        name: str = "decoder",
    ) -> None:
        super().__init__(name=name)
        self._dense = snt.nets.MLP(dense, activate_final=len(channels) == 1, name="dense")
        self._first_shape = [kernels[0], kernels[0], channels[0]]
        self._first = snt.Linear(kernels[0] * kernels[0] * channels[0], name="transposed_0")
        self._layers = [
            snt.Conv2DTranspose(
                channel,
                kernel,
                output_shape=[decoded_size(kernels[: i + 1])] * 2,
                stride=2,
                padding="VALID",
                name=f"transposed_{i}",
            )
            for i, (channel, kernel) in enumerate(zip(channels, kernels, strict=True))
            if i > 0
        ]

    def __call__(self, features: tf.Tensor) -> tf.Tensor:
        """Decodes features [N, F] to float images [N, size, size, C]."""
        hidden = self._first(self._dense(features))
        hidden = tf.reshape(hidden, [-1, *self._first_shape])
        for layer in self._layers:
            hidden = layer(tf.nn.relu(hidden))
        return hidden
