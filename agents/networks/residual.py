"""Residual convolutions over images and boards (He et al. 2016; Silver et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import sonnet as snt
import tensorflow as tf

from agents import replicas


class BatchNorm(snt.BatchNorm):
    """Sonnet's, whose batch is that of all replicas together."""

    def __call__(self, inputs: tf.Tensor, is_training: bool) -> tf.Tensor:
        """Normalises [B, …, C]; `is_training` tells to use the batch's own moments."""
        if not is_training or replicas.count() == 1:
            return super().__call__(inputs, is_training)
        axes = list(range(inputs.shape.rank - 1))
        average = lambda x: replicas.mean(tf.reduce_mean(x, axes, keepdims=True))  # noqa: E731
        mean = average(inputs)
        variance = average(tf.square(inputs - mean))
        self.moving_mean.update(mean)
        # Of images the op that Sonnet takes gives the unbiased variance to the average.
        size = replicas.count() * inputs.shape[:-1].num_elements()
        unbiased = size / (size - 1) if inputs.shape.rank == 4 else 1.0
        self.moving_variance.update(unbiased * variance)
        scale, offset = self.scale, self.offset
        return tf.nn.batch_normalization(inputs, mean, variance, offset, scale, self._eps)


class Normalisation(snt.Module):
    """`batch`, `layer` (over all but the batch) or `none`, behind a convolution or dense layer."""

    def __init__(self, kind: str, name: str = "normalisation") -> None:
        super().__init__(name=name)
        self._kind = kind
        if kind == "batch":
            self._layer = BatchNorm(create_scale=True, create_offset=True, decay_rate=0.99)
        elif kind == "layer":
            self._layer = snt.LayerNorm(slice(1, None), create_scale=True, create_offset=True)

    def __call__(self, values: tf.Tensor, is_training: bool) -> tf.Tensor:
        """Normalises [B, …]; `is_training` tells `batch` to use the batch's own moments."""
        if self._kind == "batch":
            return self._layer(values, is_training=is_training)
        return self._layer(values) if self._kind == "layer" else values


def start_from_unit_variance(module: snt.Module) -> None:
    """Makes untrained batch normalisations inside `module` leave their input as it is.

    Sonnet's begin with a moving variance of 0: some dozens of layers deep, that overflows.
    """
    for layer in module.submodules:
        if isinstance(layer, snt.BatchNorm):
            layer.moving_variance.average.assign(tf.ones_like(layer.moving_variance.average))


class NormalisedConv(snt.Module):
    """Convolution and normalisation, without a rectifier."""

    def __init__(
        self, channels: int, kernel: int, normalisation: str, stride: int = 1, name: str = "conv"
    ) -> None:
        super().__init__(name=name)
        with_bias = normalisation == "none"
        self._conv = snt.Conv2D(channels, kernel, stride=stride, with_bias=with_bias)
        self._normalisation = Normalisation(normalisation)

    def __call__(self, image: tf.Tensor, is_training: bool) -> tf.Tensor:
        """[B, H, W, C] → [B, H / stride, W / stride, channels]."""
        return self._normalisation(self._conv(image), is_training)


class ResidualTower(snt.Module):
    """`blocks` residual blocks of two 3×3 convolutions each, as wide as what comes in."""

    def __init__(self, blocks: int, channels: int, normalisation: str, name: str = "tower") -> None:
        super().__init__(name=name)
        self._blocks = [
            [NormalisedConv(channels, 3, normalisation) for _ in range(2)] for _ in range(blocks)
        ]

    def __call__(self, image: tf.Tensor, is_training: bool) -> tf.Tensor:
        """[B, H, W, channels] → the same shape."""
        for first, second in self._blocks:
            hidden = tf.nn.relu(first(image, is_training))
            image = tf.nn.relu(image + second(hidden, is_training))
        return image


class DenseStack(snt.Module):
    """Dense layers, each with normalisation and a rectifier, and a last plain one."""

    def __init__(
        self,
        layers: Sequence[int],
        output_size: int,
        normalisation: str,
        output_init: snt.initializers.Initializer | None = None,
        name: str = "dense",
    ) -> None:
        super().__init__(name=name)
        self._hidden = [(snt.Linear(size), Normalisation(normalisation)) for size in layers]
        self._output = snt.Linear(output_size, w_init=output_init)

    def __call__(self, values: tf.Tensor, is_training: bool) -> tf.Tensor:
        """[B, F] → [B, output_size]."""
        for linear, normalisation in self._hidden:
            values = tf.nn.relu(normalisation(linear(values), is_training))
        return self._output(values)


class PredictionHead(snt.Module):
    """Numbers from what a torso makes: a rectified 1×1 convolution, dense layers, a plain one.

    It begins at zero: at first a policy is uniform and every value 0, not noise that a search would
    follow.
    """

    def __init__(
        self,
        channels: int | None,
        layers: Sequence[int],
        outputs: int,
        normalisation: str,
        name: str,
    ) -> None:
        """Makes the head; `channels` are the convolution's, None for features that are vectors."""
        super().__init__(name=name)
        self._conv = None if channels is None else NormalisedConv(channels, 1, normalisation)
        self._dense = DenseStack(layers, outputs, normalisation, snt.initializers.Zeros())

    def __call__(self, features: tf.Tensor, is_training: bool) -> tf.Tensor:
        """[B, …] → [B, outputs]."""
        if self._conv is not None:
            features = snt.flatten(tf.nn.relu(self._conv(features, is_training)))
        return self._dense(features, is_training)
