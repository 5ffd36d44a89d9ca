"""Features → Q of every action, or its distribution; plain, dueling, noisy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import sonnet as snt
import tensorflow as tf


class QHead(snt.Module):
    """Features [..., F] → [..., A, K]: K numbers for each action.

    Args:
      layers: units of the hidden layers, of each stream where it is dueling.
      num_actions: A.
      outputs: K: 1 for values, atoms for logits of a distribution.
      dueling: V + A − mean A of two streams (Wang et al. 2016; Hessel et al. 2018).
      noise: σ₀ of noisy layers (Fortunato et al. 2018); None: they are plain.
    """

    def __init__(
        self,
        layers: Sequence[int],
        num_actions: int,
        outputs: int = 1,
        dueling: bool = False,
        noise: float | None = None,
    ) -> None:
        super().__init__(name="head")
        self._shape = [num_actions, outputs]
        self._advantage = _Stream([*layers, num_actions * outputs], noise, "advantage")
        self._value = _Stream([*layers, outputs], noise, "value") if dueling else None

    def __call__(self, features: tf.Tensor, seed: tf.Tensor | None = None) -> tf.Tensor:
        """Returns the numbers; `seed` int32 [2] draws the layers' noise, None: there is none."""
        shape = tf.concat([tf.shape(features)[:-1], self._shape], axis=0)
        advantage = tf.reshape(self._advantage(features, seed), shape)
        advantage = tf.ensure_shape(advantage, [*features.shape[:-1], *self._shape])
        if self._value is None:
            return advantage
        # The streams' noise is drawn apart.
        seed = None if seed is None else tf.random.experimental.stateless_fold_in(seed, 1)
        value = self._value(features, seed)[..., None, :]
        return value + advantage - tf.reduce_mean(advantage, axis=-2, keepdims=True)


class _Stream(snt.Module):
    """Dense layers with rectifiers between them."""

    def __init__(self, layers: Sequence[int], noise: float | None, name: str) -> None:
        super().__init__(name=name)
        self._noisy = noise is not None
        self._layers = [
            NoisyLinear(size, noise, f"linear_{i}")
            if noise is not None
            else snt.Linear(size, name=f"linear_{i}")
            for i, size in enumerate(layers)
        ]

    def __call__(self, features: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        hidden, last = features, len(self._layers) - 1
        seeds = [None] * (last + 1)
        if seed is not None:
            seeds = tf.unstack(tf.random.experimental.stateless_split(seed, last + 1))
        for i, (layer, own) in enumerate(zip(self._layers, seeds, strict=True)):
            hidden = layer(hidden, own) if self._noisy else layer(hidden)
            hidden = tf.nn.relu(hidden) if i < last else hidden
        return hidden


class NoisyLinear(snt.Module):
    """y = (μ + σ ∘ ε) x + (μ' + σ' ∘ ε'), of factorised Gaussian noise (Fortunato et al. 2018).

    ε_ij = f(ε_i) f(ε_j) and ε'_j = f(ε_j), where f(x) = sign(x) √|x| (equations 10 and 11); μ
    begins uniform within ± 1/√p, of p inputs, and σ as σ₀/√p (section 3.2).
    """

    def __init__(self, size: int, noise: float, name: str) -> None:
        super().__init__(name=name)
        self._size, self._initial = size, noise

    def __call__(self, inputs: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """[..., p] → [..., size]; `seed` int32 [2] of the noise, None: the mean's alone."""
        self._make(inputs.shape[-1])
        mean = tf.tensordot(inputs, self._weight, 1) + self._bias
        if seed is None:
            return mean
        length = inputs.shape[-1] + self._size
        normal = tf.random.stateless_normal([length], seed)
        scaled = tf.sign(normal) * tf.sqrt(tf.abs(normal))
        into, out = tf.split(scaled, [inputs.shape[-1], self._size])
        noise = tf.tensordot(into * inputs, self._weight_noise, 1) + self._bias_noise
        return mean + out * noise

    @snt.once
    def _make(self, count: int) -> None:
        bound = 1.0 / np.sqrt(count)
        uniform = snt.initializers.RandomUniform(-bound, bound)
        noise = snt.initializers.Constant(self._initial * bound)
        shape = [count, self._size]
        self._weight = tf.Variable(uniform(shape, tf.float32), name="weight")
        self._bias = tf.Variable(uniform([self._size], tf.float32), name="bias")
        self._weight_noise = tf.Variable(noise(shape, tf.float32), name="weight_noise")
        self._bias_noise = tf.Variable(noise([self._size], tf.float32), name="bias_noise")
