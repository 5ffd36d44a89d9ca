"""Latent planning: the cross-entropy method over imagined returns, whole (PlaNet, Algorithm 2)."""

from __future__ import annotations

import tensorflow as tf

from ops.cem import backends, latent_model, latent_reference, native
from ops.cem.bounds import as_float32, initial_fit, make_bounds
from ops.cem.latent_model import LatentModel
from ops.cem.optimize import CEMResult, as_seed, check_arguments, check_shape, search

LATENTS = ("sample", "mean")


def plan_latent(
    deterministic: tf.Tensor,
    stochastic: tf.Tensor,
    model: LatentModel,
    horizon: int,
    num_iterations: int,
    num_candidates: int,
    num_elites: int,
    action_min: float | tf.Tensor = -1.0,
    action_max: float | tf.Tensor = 1.0,
    initial_mean: tf.Tensor | None = None,
    initial_stddev: tf.Tensor | None = None,
    noise: tf.Tensor | None = None,
    latent_noise: tf.Tensor | None = None,
    seed: tf.Tensor | None = None,
    latents: str = "sample",
    stddev_estimator: str = "std",
    momentum: float = 0.0,
    min_stddev: float = 0.0,
    precision: str = "float32",
    backend: str = "auto",
) -> CEMResult:
    """Plans from beliefs by the return that the model imagines, Σ_τ E[r_τ | s_τ].

    What `optimize` does with that objective, fused: both backends draw the same noise of the same
    seed, an iteration's by `optimize.iteration_seeds`, the first seed for the candidates
    [B, J, H, A], the second for the latents [H, B·J, S].

    Args:
      deterministic: [B, D] of the beliefs; D is 0 without a GRU.
      stochastic: [B, S] of the beliefs.
      model: the weights, as they are in the model.
      horizon, num_iterations, num_candidates, num_elites, action_min, action_max, initial_mean,
        initial_stddev, seed, stddev_estimator, momentum, min_stddev: see `optimize`. A last plan
        as `initial_mean` is a warm start.
      noise: [I, B, J, H, A] standard normal draws for the candidates; else they come from `seed`.
      latent_noise: [I, H, B, J, S] draws for the latents; else they come from `seed`.
      latents: `sample`, or `mean` for candidates that follow the latents' means.
      precision: of the factors of the model's products, whose sums are float32. `bfloat16` takes
        the native op, and a GPU or a processor with AVX512_BF16.
      backend: `native` (one op), `tensorflow` (the twin) or `auto`.

    Returns:
      A `CEMResult`.

    Raises:
      ValueError: an argument is out of its range or of the wrong shape; the message names it.
      tf.errors.InvalidArgumentError: a row has fewer finite returns than `num_elites`, or the
        processor has no products of `precision`.
    """
    if latents not in LATENTS:
        raise ValueError(f"latents is {latents!r}; expected one of {LATENTS}")
    backend = backends.resolve(backend)
    backends.check_precision(precision, backend)
    model = _as_tensors(model)
    deterministic, stochastic = _belief(deterministic, stochastic)
    latent_model.check(model, deterministic.shape[1], stochastic.shape[1])
    batch_size = stochastic.shape[0] or tf.shape(stochastic)[0]
    action_size = model.action_weights.shape[0]
    sizes = dict(
        num_iterations=num_iterations, num_candidates=num_candidates, num_elites=num_elites
    )
    rule = dict(stddev_estimator=stddev_estimator, momentum=momentum, min_stddev=min_stddev)
    check_arguments(horizon=horizon, **sizes, **rule)
    sampled = latents == "sample" and model.prior[-1].bias.shape[0] == 2 * stochastic.shape[1]
    if seed is None and (noise is None or (sampled and latent_noise is None)):
        raise ValueError(
            "seed is None; expected an int32 [2] seed, or noise [I, B, J, H, A] and, for sampled "
            "latents, latent_noise [I, H, B, J, S]"
        )
    seed = None if seed is None else as_seed(seed)
    if noise is not None:
        noise = as_float32("noise", noise)
        shape = [num_iterations, batch_size, num_candidates, horizon, action_size]
        check_shape("noise has", noise, shape)
    if latent_noise is not None:
        latent_noise = as_float32("latent_noise", latent_noise)
        shape = [num_iterations, horizon, batch_size, num_candidates, stochastic.shape[1]]
        check_shape("latent_noise has", latent_noise, shape)
    if backend == "native":
        bounds = make_bounds(action_min, action_max, action_size)
        shape = [batch_size, horizon, action_size]
        mean, stddev = initial_fit(initial_mean, initial_stddev, shape, bounds)
        mean, stddev, returns = native.plan_latent(
            deterministic,
            stochastic,
            model,
            mean=mean,
            stddev=stddev,
            bounds=bounds,
            noise=noise,
            latent_noise=latent_noise,
            seed=seed,
            latents=latents,
            precision=precision,
            **sizes,
            **rule,
        )
        return CEMResult(mean, stddev, mean[:, 0], returns)

    def judge(actions, iteration, seed):
        draws = None
        if sampled:
            draws = latent_reference.draws(latent_noise, iteration, seed, actions, stochastic)
        return latent_reference.imagined_return(model, deterministic, stochastic, actions, draws)

    return search(
        judge,
        batch_size=batch_size,
        horizon=horizon,
        action_size=action_size,
        action_min=action_min,
        action_max=action_max,
        initial_mean=initial_mean,
        initial_stddev=initial_stddev,
        noise=noise,
        seed=seed,
        backend="tensorflow",
        **sizes,
        **rule,
    )


def _as_tensors(model: LatentModel) -> LatentModel:
    return tf.nest.map_structure(
        lambda x: x if isinstance(x, str | float) else tf.cast(x, tf.float32), model
    )


def _belief(deterministic: tf.Tensor, stochastic: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    beliefs = {"deterministic": deterministic, "stochastic": stochastic}
    for name, values in beliefs.items():
        values = beliefs[name] = as_float32(name, values)
        if values.shape.rank != 2 or values.shape[1] is None:
            raise ValueError(f"{name} has shape {values.shape}; expected [B, size]")
    deterministic, stochastic = beliefs.values()
    if not deterministic.shape[:1].is_compatible_with(stochastic.shape[:1]):
        raise ValueError(
            f"deterministic has shape {deterministic.shape}; expected as many rows as stochastic, "
            f"which has shape {stochastic.shape}"
        )
    return deterministic, stochastic
