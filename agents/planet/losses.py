"""PlaNet's objective, as pure functions (paper, equations 3 and 7)."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_probability as tfp

from agents import replicas
from agents.planet.networks import LatentDynamics, LatentState
from agents.shapes import check_same_shape

tfd = tfp.distributions


def weights_of(known: tf.Tensor) -> tf.Tensor:
    """Weights [B, T] with which a mean over all steps is one over those that are `known`."""
    weights = tf.cast(known, tf.float32)
    return weights / replicas.mean(tf.reduce_mean(weights))


def image_log_likelihood(image: tf.Tensor, mean: tf.Tensor) -> tf.Tensor:
    """ln p(o_t | s_t) [N] of images [N, H, W, C] under unit variance around `mean`."""
    check_same_shape(image=image, mean=mean)
    return tfd.Independent(tfd.Normal(mean, 1.0), reinterpreted_batch_ndims=3).log_prob(image)


def reward_log_likelihood(reward: tf.Tensor, mean: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """ln p(r_t | s_t) [B, T] under unit variance; zero where the reward is not known."""
    check_same_shape(reward=reward, mean=mean, known=known)
    return tf.where(known, tfd.Normal(mean, 1.0).log_prob(reward), 0.0)


def divergence(posterior: LatentState, prior: LatentState, free_nats: float) -> tf.Tensor:
    """KL[q(s_t | o_≤t) ‖ p(s_t | s_t-1, a_t-1)] [B, T], each at least `free_nats`."""
    check_same_shape(posterior=posterior.mean, prior=prior.mean)
    kl = tfd.kl_divergence(posterior.distribution, prior.distribution)
    return tf.maximum(kl, free_nats)


def overshooting_divergences(
    dynamics: LatentDynamics,
    posterior: LatentState,
    previous_action: tf.Tensor,
    noise: tf.Tensor,
    distance: int,
    free_nats: float,
) -> list[tf.Tensor]:
    """Divergences to priors 2 … D steps long (paper, section 4).

    Row t of the result for distance d compares the posterior at step t + d with the prior that
    starts from the posterior at t and sees the d actions between:

        posterior   0   1   2   3   4
        d = 1           0▸1 1▸2 2▸3 3▸4     (the one-step bound; not in the result)
        d = 2               0▸2 1▸3 2▸4
        d = 3                   0▸3 1▸4

    These fit the priors to the posteriors and not the other way round: the gradient does not reach
    the posterior that is compared with.

    Args:
      dynamics: the transition model.
      posterior: states [B, T, …].
      previous_action: [B, T, A] action that led to each step.
      noise: [D, B, T, S] standard normal draws, one slice a distance.
      distance: D.
      free_nats: nats below which a step's divergence is not pushed.

    Returns:
      a tensor [B, T − d] for each d = 2 … D.
    """
    target = LatentState(*(tf.stop_gradient(values) for values in posterior))
    state, divergences = posterior, []
    for d in range(1, distance + 1):
        state = _step_all(dynamics, state, previous_action[:, d:], noise[d - 1][:, d:])
        if d > 1:
            reached = LatentState(*(values[:, d:] for values in target))
            divergences.append(divergence(reached, state, free_nats))
    return divergences


def overshooting_mean(divergences: Sequence[tf.Tensor], weights: Sequence[float]) -> tf.Tensor:
    """1/D Σ_d β_d Σ_t KL_d / T: divergences [B, T] of d = 1 and [B, T − d] of d = 2 … D → [B]."""
    length = divergences[0].shape[1]
    total = tf.add_n(
        [
            weight * tf.reduce_sum(values, axis=1)
            for weight, values in zip(weights, divergences, strict=True)
        ]
    )
    return total / (length * len(divergences))


def _step_all(
    dynamics: LatentDynamics, state: LatentState, action: tf.Tensor, noise: tf.Tensor
) -> LatentState:
    """One imagined step from each state [B, T, …] but the last ones → [B, T − 1, …]."""
    batch, steps = action.shape[:2]
    flat = lambda values: tf.reshape(values, [batch * steps, values.shape[-1]])  # noqa: E731
    state = LatentState(*(flat(values[:, :-1]) for values in state))
    state = dynamics.img_step(state, flat(action), flat(noise))
    return LatentState(*(tf.reshape(v, [batch, steps, v.shape[-1]]) for v in state))
