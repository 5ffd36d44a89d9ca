"""What model-free agents see by: images or states → features, for heads or a recurrent core."""

from __future__ import annotations

from collections.abc import Sequence

import sonnet as snt
import tensorflow as tf

from agents.networks.mlp import ACTIVATIONS


class Dense(snt.Module):
    """Observations [N, …], bytes or numbers, → features [N, F]: flattened, then dense layers."""

    def __init__(self, layers: Sequence[int], activation: str = "relu") -> None:
        super().__init__(name="dense")
        self._layers = snt.nets.MLP(
            layers, activation=ACTIVATIONS[activation], activate_final=True, name="layers"
        )

    def __call__(self, observation: tf.Tensor) -> tf.Tensor:
        """Returns the features."""
        return self._layers(snt.flatten(as_numbers(observation)))


class Convolutions(snt.Module):
    """Images [N, H, W, C] → features [N, F]: plain convolutions, then dense layers (DQN's torso).

    Each has a rectifier behind it; nothing is padded.
    """

    def __init__(
        self,
        channels: Sequence[int],
        kernels: Sequence[int],
        strides: Sequence[int],
        dense: Sequence[int] = (),
        name: str = "convolutions",
    ) -> None:
        super().__init__(name=name)
        self._layers = [
            snt.Conv2D(channel, kernel, stride, padding="VALID", name=f"conv_{i}")
            for i, (channel, kernel, stride) in enumerate(
                zip(channels, kernels, strides, strict=True)
            )
        ]
        self._dense = [snt.Linear(size, name=f"dense_{i}") for i, size in enumerate(dense)]

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Returns the features."""
        hidden = as_numbers(image)
        for layer in self._layers:
            hidden = tf.nn.relu(layer(hidden))
        hidden = snt.flatten(hidden)
        for layer in self._dense:
            hidden = tf.nn.relu(layer(hidden))
        return hidden


class ResidualConvolutions(snt.Module):
    """Images [N, H, W, C] → features [N, F]: IMPALA's deep torso (Espeholt et al. 2018, figure 3).

    A section for each of `channels`: a convolution, a maximum over 3×3 of stride 2, two residual
    blocks.
    """

    def __init__(self, channels: Sequence[int], dense: Sequence[int]) -> None:
        super().__init__(name="residual_convolutions")
        self._sections = [_Section(channel, f"section_{i}") for i, channel in enumerate(channels)]
        self._dense = [snt.Linear(size, name=f"dense_{i}") for i, size in enumerate(dense)]

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        """Returns the features."""
        hidden = as_numbers(image)
        for section in self._sections:
            hidden = section(hidden)
        hidden = snt.flatten(tf.nn.relu(hidden))
        for layer in self._dense:
            hidden = tf.nn.relu(layer(hidden))
        return hidden


class _Section(snt.Module):
    """[N, H, W, …] → [N, H / 2, W / 2, channels]."""

    def __init__(self, channels: int, name: str) -> None:
        super().__init__(name=name)
        self._first = snt.Conv2D(channels, 3, name="first")
        self._blocks = [[snt.Conv2D(channels, 3) for _ in range(2)] for _ in range(2)]

    def __call__(self, image: tf.Tensor) -> tf.Tensor:
        hidden = tf.nn.max_pool2d(self._first(image), 3, 2, "SAME")
        for first, second in self._blocks:
            inner = first(tf.nn.relu(hidden))
            hidden += second(tf.nn.relu(inner))
        return hidden


def as_numbers(observation: tf.Tensor) -> tf.Tensor:
    """Float32; bytes of pixels in [0, 1]."""
    numbers = tf.cast(observation, tf.float32)
    return numbers / 255.0 if observation.dtype == tf.uint8 else numbers


def check_convolutions(
    config: str, shape: Sequence[int], kernels: Sequence[int], strides: Sequence[int]
) -> None:
    """Each unpadded convolution over images of that shape must have something left to see.

    Args:
      config: name of the settings, for the error's text.
      shape: of an observation.
      kernels, strides: of the convolutions.

    Raises:
      ValueError: the shape is no image's, or one too small.
    """
    if len(shape) != 3:
        raise ValueError(
            f"{config}.torso takes images [height, width, channels], got shape {list(shape)}; "
            "'mlp' takes every shape"
        )
    size = tuple(shape[:2])
    for kernel, stride in zip(kernels, strides, strict=True):
        if min(size) < kernel:
            raise ValueError(
                f"{config}.kernels = {tuple(kernels)} and strides = {tuple(strides)} do not fit "
                f"the image: {kernel} of {min(size)} pixels"
            )
        size = tuple((edge - kernel) // stride + 1 for edge in size)
