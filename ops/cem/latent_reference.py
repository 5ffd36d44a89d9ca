"""The imagined return in plain TensorFlow: what the fused op computes, written out."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from ops.cem.latent_model import ACTIVATIONS, LatentModel, Layer


def draws(
    noise: tf.Tensor | None,
    iteration: tf.Tensor,
    seed: tf.Tensor | None,
    actions: tf.Tensor,
    stochastic: tf.Tensor,
) -> tf.Tensor:
    """An iteration's draws [H, B·J, S]: of `noise` [I, H, B, J, S], or of the seed."""
    batch_size, candidates = tf.unstack(tf.shape(actions)[:2])
    shape = [actions.shape[2], batch_size * candidates, stochastic.shape[1]]
    if noise is None:
        return tf.random.stateless_normal(shape, seed)
    return tf.reshape(noise[iteration], shape)


def imagined_return(
    model: LatentModel,
    deterministic: tf.Tensor,
    stochastic: tf.Tensor,
    actions: tf.Tensor,
    noise: tf.Tensor | None,
) -> tf.Tensor:
    """Σ_τ E[p(r_τ | s_τ)] along imagined latents (Algorithm 2, lines 5 and 6).

    Args:
      model: the weights.
      deterministic, stochastic: [B, D] and [B, S] to start from.
      actions: [B, J, H, A].
      noise: [H, B·J, S] the latents' draws; None for their means.

    Returns:
      [B, J].
    """
    batch_size, candidates = tf.unstack(tf.shape(actions)[:2])
    horizon, action_size = actions.shape[2:]
    flat = tf.reshape(actions, [-1, horizon, action_size])  # [B·J, H, A]
    h = tf.repeat(deterministic, candidates, axis=0)  # [B·J, D]
    s = tf.repeat(stochastic, candidates, axis=0)  # [B·J, S]
    features = []
    for t in range(horizon):
        h, s = imagined_step(model, h, s, flat[:, t], None if noise is None else noise[t])
        features.append(tf.concat([h, s], axis=1))
    rewards = _stack(model, model.reward, tf.concat(features, axis=0))  # [H·B·J, 1]
    returns = tf.reduce_sum(tf.reshape(rewards, [horizon, -1]), axis=0)
    returns = tf.reshape(returns, [batch_size, candidates])
    return tf.ensure_shape(returns, actions.shape[:2])


def imagined_step(
    model: LatentModel, h: tf.Tensor, s: tf.Tensor, action: tf.Tensor, noise: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The states [N, D] and [N, S] behind an action [N, A]; `noise` [N, S] as in `draws`."""
    activate = ACTIVATIONS[model.activation]
    first, *others = model.input
    x = activate(_linear(first, s) + action @ model.action_weights)
    if others:
        x = activate(_stack(model, others, x))
    if model.gru:
        h = x = _gru(*model.gru, x, h)
    prior = _stack(model, model.prior, x)
    if noise is None or prior.shape[1] == s.shape[1]:
        return h, prior[:, : s.shape[1]]
    mean, spread = tf.split(prior, 2, axis=1)
    return h, mean + (tf.nn.softplus(spread) + model.min_stddev) * noise


def _linear(layer: Layer, x: tf.Tensor) -> tf.Tensor:
    return x @ layer.weights + layer.bias


def _stack(model: LatentModel, layers: Sequence[Layer], x: tf.Tensor) -> tf.Tensor:
    """Layers with activations between them."""
    for layer in layers[:-1]:
        x = ACTIVATIONS[model.activation](_linear(layer, x))
    return _linear(layers[-1], x)


def _gru(input_gates: Layer, state_gates: Layer, x: tf.Tensor, h: tf.Tensor) -> tf.Tensor:
    x_z, x_r, x_c = tf.split(_linear(input_gates, x), 3, axis=1)
    h_z, h_r, h_c = tf.split(_linear(state_gates, h), 3, axis=1)
    update, reset = tf.sigmoid(x_z + h_z), tf.sigmoid(x_r + h_r)
    candidate = tf.tanh(x_c + reset * h_c)
    return candidate + update * (h - candidate)
