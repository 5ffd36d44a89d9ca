"""How far the model's uncertainty can be trusted, judged by data it has not learned from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from agents.moments import mean_and_scale
from agents.pets import losses
from agents.pets.config import PETSConfig
from agents.pets.networks import DynamicsModel
from agents.pets.propagation import imagine
from agents.shapes import check_same_shape

tfd = tfp.distributions

_LEVELS = np.linspace(0.05, 0.95, 19)
_MAX_STARTS = 64
_PARTICLES = 20  # Of each network.


def judge(model: DynamicsModel, observation, action, following, reward) -> dict[str, tf.Tensor]:
    """Compares predictions with transitions [N, …] that the model has not seen.

    Returns:
      `calibration/error`: root mean squared error of the ensemble's mean, in deviations of the
      targets over these transitions, or in their own units where they do not move; for
      probabilistic networks also `calibration/log_likelihood` (nats a transition, of the mixture)
      and `calibration/coverage_90` (share of outcomes inside the central 90 % of the mixture's
      marginals).
    """
    prediction, targets = _predict(model, observation, action, following, reward)
    mean = tf.reduce_mean(prediction.mean(), axis=0)
    check_same_shape(prediction=mean, targets=targets)
    _, scale = mean_and_scale(targets)
    error = tf.sqrt(tf.reduce_mean(tf.square((mean - targets) / scale)))
    result = {"calibration/error": error}
    if isinstance(prediction, tfd.Normal):
        likelihood = losses.mixture_log_prob(prediction, targets)
        quantile = losses.mixture_quantile(prediction, targets)
        inside = tf.abs(quantile - 0.5) <= 0.45
        result["calibration/log_likelihood"] = tf.reduce_mean(likelihood)
        result["calibration/coverage_90"] = tf.reduce_mean(tf.cast(inside, tf.float32))
    return result


def judgements(probabilistic: bool) -> list[str]:
    """The names of what `judge` returns."""
    named = ["calibration/error"]
    return named + ["calibration/log_likelihood", "calibration/coverage_90"] * probabilistic


def coverage(quantiles: np.ndarray, levels: np.ndarray = _LEVELS) -> np.ndarray:
    """Share of outcomes inside the central intervals of each level, by their quantiles."""
    distance = 2.0 * np.abs(quantiles.ravel() - 0.5)
    return np.array([np.mean(distance <= level) for level in levels])


def disagreement(
    config: PETSConfig, model: DynamicsModel, observations: np.ndarray, actions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Imagines pieces of an episode with the actions that were taken.

    Particles keep their networks (TSinf) here, however the agent plans, and are many, so that what
    differs between networks is not what is drawn.

    Args:
      observations: [L + 1, D].
      actions: [L, A].

    Returns:
      The networks' disagreement (standard deviation between their particles' means) and the error
      of the mean, both [H] and in the observations' deviations over the episode, or in their own
      units where they do not move.
    """
    horizon = min(config.planning_horizon, len(actions))
    count = min(_MAX_STARTS, len(actions) - horizon + 1)
    starts = np.linspace(0, len(actions) - horizon, count).astype(int)
    plans = np.stack([actions[s : s + horizon] for s in starts]).astype(np.float32)
    begin = tf.constant(observations[starts], tf.float32)
    particles = _PARTICLES * config.ensemble_size
    config = dataclasses.replace(config, propagation="TSinf", particles=particles)
    imagined = imagine(config, model, begin, tf.constant(plans), tf.constant([0, 0]))
    particles = imagined.observations.numpy()  # [H, N, P, D]
    truth = np.stack([observations[s + 1 : s + 1 + horizon] for s in starts], axis=1)  # [H, N, D]
    scale = mean_and_scale(observations)[1].numpy()
    shape = (*particles.shape[:2], config.ensemble_size, _PARTICLES, particles.shape[3])
    networks = particles.reshape(shape).mean(axis=3)  # [H, N, E, D]
    spread = (networks.std(axis=2) / scale).mean(axis=(1, 2))
    error = (np.abs(particles.mean(axis=2) - truth) / scale).mean(axis=(1, 2))
    return spread, error


def make_figure(
    config: PETSConfig, model: DynamicsModel
) -> Callable[[Sequence[np.ndarray], Sequence[np.ndarray]], dict[str, np.ndarray]]:
    """Returns a function that draws the report from episodes the model has not learned from."""

    def draw(
        observations: Sequence[np.ndarray], actions: Sequence[np.ndarray]
    ) -> dict[str, np.ndarray]:
        first = [np.asarray(o[:-1], np.float32) for o in observations]
        following = [np.asarray(o[1:], np.float32) for o in observations]
        arrays = (first, actions, following)
        tensors = [tf.constant(np.concatenate(a), tf.float32) for a in arrays]
        rewards = tf.zeros(tensors[0].shape[:1])  # Episodes bring none; the last output is cut.
        prediction, targets = _predict(model, *tensors, rewards)
        known = model.observation_size
        quantiles = None
        if isinstance(prediction, tfd.Normal):
            quantiles = losses.mixture_quantile(prediction, targets).numpy()[:, :known]
        spread, error = disagreement(config, model, observations[0], np.asarray(actions[0]))
        return {"calibration": _draw(quantiles, spread, error)}

    return draw


def _predict(model, observation, action, following, reward) -> tuple[tfd.Distribution, tf.Tensor]:
    """Predictions [E, N, O] for transitions [N, …], and the targets [N, O]."""
    copies = lambda x: tf.repeat(x[None], model.ensemble_size, axis=0)  # noqa: E731
    prediction = model.predict(copies(observation), copies(action))
    return prediction, model.targets(observation, following, reward)


def _draw(quantiles: np.ndarray | None, spread: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Draws coverage beside disagreement: uint8 [height, width, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="0.6", linestyle="--", label="calibrated")
    if quantiles is not None:
        left.plot(_LEVELS, coverage(quantiles), marker="o", markersize=3, label="this model")
    left.set(xlabel="central interval of the prediction", ylabel="share of outcomes inside it")
    left.set(title="coverage, one step ahead" if quantiles is not None else "no variance predicted")
    left.legend()
    steps = np.arange(1, len(spread) + 1)
    right.plot(steps, error, label="error of the mean")
    right.plot(steps, spread, label="disagreement of the networks")
    right.set(xlabel="steps imagined", ylabel="deviations of the observations", yscale="log")
    right.set(title="imagined along the actions taken")
    right.legend()
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
