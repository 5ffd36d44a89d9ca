"""PlaNet at the smallest size that still does everything, for tests."""

from __future__ import annotations

from typing import Any

import dm_env
import numpy as np
import tensorflow as tf
from acme import specs
from acme.adders.reverb import base as adders

from agents.averaging import OnlineAndActing
from agents.planet import PlaNetBuilder, PlaNetConfig
from agents.planet.networks import LatentDynamics, LatentState

SIZE = 8  # Side of the images.
ACTION_SIZE = 2
KINDS = ("rssm", "ssm", "rnn")

SPEC = specs.EnvironmentSpec(
    observations=specs.BoundedArray((SIZE, SIZE, 3), np.uint8, 0, 255, name="pixels"),
    actions=specs.BoundedArray((ACTION_SIZE,), np.float32, -1, 1, name="action"),
    rewards=specs.Array((), np.float32, name="reward"),
    discounts=specs.BoundedArray((), np.float32, 0, 1, name="discount"),
)


def config(**overrides: Any) -> PlaNetConfig:
    values = {
        "deterministic_size": 12,
        "stochastic_size": 4,
        "hidden_size": 16,
        "activation": "elu",
        "encoder_channels": (4, 8),
        "encoder_kernels": (4, 3),
        "decoder_dense": (16,),
        "decoder_channels": (8,),
        "decoder_kernels": (2, 6),
        "reward_layers": (16,),
        "batch_size": 3,
        "sequence_length": 6,
        "planning_horizon": 3,
        "planning_iterations": 4,
        "planning_candidates": 30,
        "planning_elites": 6,
    }
    return PlaNetConfig(**{**values, **overrides})


def builder_and_networks(seed: int = 0, **overrides: Any) -> tuple[PlaNetBuilder, OnlineAndActing]:
    builder = PlaNetBuilder(config(**overrides))
    return builder, builder.make_networks(SPEC, seed)


def pixels(rng: np.random.RandomState, *leading: int) -> np.ndarray:
    return rng.randint(0, 256, [*leading, SIZE, SIZE, 3]).astype(np.uint8)


def batch(seed: int, batch_size: int = 3, length: int = 6) -> adders.Trajectory:
    """A replayed batch; the reward of an action is its first component less its second."""
    rng = np.random.RandomState(seed)
    action = rng.uniform(-1, 1, [batch_size, length, ACTION_SIZE]).astype(np.float32)
    start = np.zeros([batch_size, length], bool)
    start[:, 0] = True
    return adders.Trajectory(
        observation=tf.constant(pixels(rng, batch_size, length)),
        action=tf.constant(action),
        reward=tf.constant(action[..., 0] - action[..., 1]),
        discount=tf.ones([batch_size, length]),
        start_of_episode=tf.constant(start),
        extras=(),
    )


def timestep(
    rng: np.random.RandomState, kind: dm_env.StepType = dm_env.StepType.MID
) -> dm_env.TimeStep:
    return dm_env.TimeStep(kind, np.float32(0), np.float32(1), pixels(rng))


def dynamics_and_sequence(
    kind: str, seed: int, batch_size: int = 2, length: int = 5, embedding_size: int = 7
) -> tuple[LatentDynamics, dict[str, tf.Tensor]]:
    """A latent model with large random weights, and what `observe` takes."""
    rng = np.random.RandomState(seed)
    draw = lambda *shape: tf.constant(rng.normal(size=shape), tf.float32)  # noqa: E731
    dynamics = LatentDynamics(config(dynamics=kind))
    inputs = {
        "embedding": draw(batch_size, length, embedding_size),
        "previous_action": draw(batch_size, length, ACTION_SIZE),
        "noise": draw(batch_size, length, dynamics.stochastic_size),
    }
    dynamics.observe(**inputs)
    for variable in dynamics.trainable_variables:
        variable.assign(0.5 * rng.normal(size=variable.shape))
    return dynamics, inputs


def at(state: LatentState, t: int) -> LatentState:
    """Step t of states [B, T, …]."""
    return LatentState(*(values[:, t] for values in state))
