"""The native ops (cc/) with the arguments of their twins."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from ops import loader
from ops.cem.bounds import Bounds
from ops.cem.latent_model import LatentModel


def sample(
    mean: tf.Tensor,
    stddev: tf.Tensor,
    num_candidates: int,
    bounds: Bounds,
    noise: tf.Tensor | None,
    seed: tf.Tensor | None,
) -> tf.Tensor:
    """Draws candidates [B, J, H, A] of a fit [B, H, A], clipped; by `seed` without `noise`."""
    return _ops().lookahead_cem_sample(
        mean=mean,
        stddev=stddev,
        num_candidates=num_candidates,
        action_min=bounds.low,
        action_max=bounds.high,
        **_noise(noise, seed),
    )


def refit(
    mean: tf.Tensor, stddev: tf.Tensor, actions: tf.Tensor, returns: tf.Tensor, **rule
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The next mean and stddev [B, H, A] and the elites' returns [B, K], best first."""
    return _ops().lookahead_cem_refit(
        mean=mean, stddev=stddev, actions=actions, returns=returns, **rule
    )


def plan_latent(
    deterministic: tf.Tensor,
    stochastic: tf.Tensor,
    model: LatentModel,
    *,
    mean: tf.Tensor,
    stddev: tf.Tensor,
    bounds: Bounds,
    noise: tf.Tensor | None,
    latent_noise: tf.Tensor | None,
    seed: tf.Tensor | None,
    **options,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """A whole plan in one op: mean and stddev [B, H, A], the last elites' returns [B, K]."""
    weights = {}
    for part in ("input", "gru", "prior", "reward"):
        layers = getattr(model, part)
        weights[f"{part}_weights"] = [layer.weights for layer in layers]
        weights[f"{part}_biases"] = [layer.bias for layer in layers]
    return _ops().lookahead_cem_plan_latent(
        deterministic=deterministic,
        stochastic=stochastic,
        initial_mean=mean,
        initial_stddev=stddev,
        action_min=bounds.low,
        action_max=bounds.high,
        **_noise(noise, seed),
        latent_noise=[] if latent_noise is None else [latent_noise],
        action_weights=model.action_weights,
        **weights,
        activation=model.activation,
        model_min_stddev=model.min_stddev,
        **options,
    )


def ensemble_forward(
    weights: Sequence[tf.Tensor], biases: Sequence[tf.Tensor], activation: str, precision: str
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Packs an ensemble's layers; returns their function, [E, N, in] → [E, N, out]."""
    packed = _ops().lookahead_cem_pack_ensemble(weights=weights, biases=biases, precision=precision)
    sizes = [int(weights[0].shape[1]), *(int(layer.shape[2]) for layer in weights)]
    return lambda inputs: _ops().lookahead_cem_ensemble(
        inputs=inputs, packed=packed, sizes=sizes, activation=activation, precision=precision
    )


def _ops():
    return loader.load("cem")


def _noise(noise, seed):
    # Beside given noise the seed is not read; the op still has the input.
    seed = tf.zeros([2], tf.int32) if seed is None else seed
    return {"noise": [] if noise is None else [noise], "seed": seed}
