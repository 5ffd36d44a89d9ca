"""What a model says of a plan: particles through the ensemble (paper, section 5.1).

| name | how uncertainty is carried on |
|---|---|
| E | not at all: one particle follows the mean of all networks |
| DS | each particle draws from the Gaussian with the mixture's mean and variance |
| MM | as DS; then a candidate's particles are replaced by draws of the Gaussian fitted to them |
| TS1 | each particle draws from a network's Gaussian, and changes its network at each step |
| TSinf | as TS1, but a particle keeps its network over the horizon |

N candidates stand side by side: N = B · J plans from B observations.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from agents.pets.config import PETSConfig
from agents.pets.networks import DynamicsModel
from ops.cem.ensemble import Forward

# Each particle is of one network.
_TRAJECTORIES = ("TS1", "TSinf")


class Imagined(NamedTuple):
    """Particles along plans.

    Attributes:
      rewards: [H, N] mean over particles.
      observations: [H, N, P, D] after each action; networks take turns in P for TSinf: particle p
        is of network p // (P / E).
    """

    rewards: tf.Tensor
    observations: tf.Tensor


def imagined_returns(
    config: PETSConfig,
    model: DynamicsModel,
    observation: tf.Tensor,
    actions: tf.Tensor,
    seed: tf.Tensor,
    forward: Forward | None = None,
) -> tf.Tensor:
    """Expected return [N] of plans [N, H, A] from observations [N, D], a mean over particles.

    `forward` is what `Ensemble.packed` gave, for speed.
    """
    horizon, start = actions.shape[1], _particles(config, observation)
    along = tf.transpose(actions, [1, 0, 2])  # [H, N, A]
    forward = forward or model.ensemble.forward

    def step(h, particles, forward):
        step_seed = tf.random.experimental.stateless_fold_in(seed, h)
        return _step(config, model, particles, along[h], step_seed, forward)

    def body(h, particles, total):
        particles, rewards = step(h, particles, forward)
        return h + 1, particles, total + rewards

    # A candidate's particles begin as one: a network is asked once for all of its share.
    share = start.shape[1] // (model.ensemble_size if config.propagation in _TRAJECTORIES else 1)
    once = lambda inputs: tf.repeat(forward(inputs[:, ::share]), share, axis=1)  # noqa: E731
    _, _, total = tf.while_loop(
        lambda h, *_: h < horizon,
        body,
        (tf.constant(1), *step(tf.constant(0), start, once)),
        maximum_iterations=horizon - 1,
        parallel_iterations=1,
    )
    return total


def imagine(
    config: PETSConfig,
    model: DynamicsModel,
    observation: tf.Tensor,
    actions: tf.Tensor,
    seed: tf.Tensor,
) -> Imagined:
    """All particles along plans [N, H, A] from observations [N, D], for a look at the model."""
    particles, rewards, observations = _particles(config, observation), [], []
    for h in range(actions.shape[1]):
        step_seed = tf.random.experimental.stateless_fold_in(seed, h)
        particles, reward = _step(config, model, particles, actions[:, h], step_seed)
        rewards.append(reward)
        observations.append(particles)
    return Imagined(tf.stack(rewards), tf.stack(observations))


def _particles(config: PETSConfig, observation: tf.Tensor) -> tf.Tensor:
    """Observations [N, D] → [N, P, D]."""
    count = 1 if config.propagation == "E" else config.particles
    return tf.repeat(observation[:, None], count, axis=1)


def _step(config, model, particles, action, seed, forward=None) -> tuple[tf.Tensor, tf.Tensor]:
    """Particles [N, P, D] and actions [N, A] → the next particles, mean rewards [N]."""
    if config.propagation in _TRAJECTORIES:
        following, rewards = _sample_trajectories(config, model, particles, action, seed, forward)
    else:
        following, rewards = _sample_mixture(config, model, particles, action, seed, forward)
    return following, tf.reduce_mean(rewards, axis=1)


def _sample_trajectories(config, model, particles, action, seed, forward):
    """Each network takes its share of the particles: no network computes what nobody asks it."""
    choice, draw = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
    if config.propagation == "TS1":
        shape = tf.shape(particles)[:2]
        order = tf.argsort(tf.random.stateless_uniform(shape, choice), axis=1)
        particles = tf.gather(particles, order, batch_dims=1)
    members, share = model.ensemble_size, config.particles // model.ensemble_size
    by_network = _to_networks(particles, members)  # [E, N · P/E, D]
    actions = tf.repeat(action, share, axis=0)  # [N · P/E, A]
    actions = tf.repeat(actions[None], members, axis=0)
    prediction = model.predict(by_network, actions, forward).sample(seed=draw)
    following, rewards = model.advance(by_network, actions, prediction)
    following = _from_networks(following, config.particles)
    return following, _from_networks(rewards[..., None], config.particles)[..., 0]


def _sample_mixture(config, model, particles, action, seed, forward):
    """Every network predicts for every particle; what they say together is one Gaussian."""
    count, size = particles.shape[1], particles.shape[2]
    flat = tf.reshape(particles, [-1, size])  # [N · P, D]
    actions = tf.repeat(action, count, axis=0)
    members = model.ensemble_size
    copies = lambda x: tf.repeat(x[None], members, axis=0)  # noqa: E731
    prediction = model.predict(copies(flat), copies(actions), forward)
    means = prediction.mean()  # [E, N · P, O]
    mean = tf.reduce_mean(means, axis=0)
    if config.propagation != "E":
        spread = tf.math.reduce_variance(means, axis=0)
        variance = spread + tf.reduce_mean(prediction.variance(), axis=0)
        noise_seed, matching_seed = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        noise = tf.random.stateless_normal(tf.shape(mean), noise_seed)
        mean += tf.sqrt(variance) * noise
    if config.propagation == "MM" and config.moment_matching == "predictions":
        mean = _matched(mean, count, matching_seed)
    following, rewards = model.advance(flat, actions, mean)
    if config.propagation == "MM" and config.moment_matching == "states":
        following = _matched(following, count, matching_seed)
    shape = [-1, count, size]
    return tf.reshape(following, shape), tf.reshape(rewards, shape[:2])


def _matched(values: tf.Tensor, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Replaces the particles of each candidate [N · P, D] by draws of the Gaussian they fit."""
    by_candidate = tf.reshape(values, [-1, count, values.shape[-1]])
    mean, variance = tf.nn.moments(by_candidate, axes=[1], keepdims=True)
    noise = tf.random.stateless_normal(tf.shape(by_candidate), seed)
    return tf.reshape(mean + tf.sqrt(variance) * noise, tf.shape(values))


def _to_networks(particles: tf.Tensor, members: int) -> tf.Tensor:
    """[N, P, D] → [E, N · P/E, D]."""
    count, size = particles.shape[1:]
    split = tf.reshape(particles, [-1, members, count // members, size])
    return tf.reshape(tf.transpose(split, [1, 0, 2, 3]), [members, -1, size])


def _from_networks(values: tf.Tensor, count: int) -> tf.Tensor:
    """[E, N · P/E, D] → [N, P, D]."""
    members, size = values.shape[0], values.shape[-1]
    split = tf.reshape(values, [members, -1, count // members, size])
    return tf.reshape(tf.transpose(split, [1, 0, 2, 3]), [-1, count, size])
