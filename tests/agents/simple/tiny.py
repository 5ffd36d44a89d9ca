"""SimPLe small enough for tests: frames of 11×9 pixels, four levels, two colours, three actions."""

from __future__ import annotations

from typing import Any

import acme.specs as acme_specs
import numpy as np
import tensorflow as tf
from dm_env import specs

from agents.rollouts import Rollouts
from agents.simple import SimPLeBuilder, SimPLeConfig, SimPLePolicyConfig
from agents.simple.learning import SimPLeNetworks

FRAME = (11, 9, 2)
NUM_ACTIONS = 3
SMALL: dict[str, Any] = {
    "frame_stack": 2,
    "unroll_steps": 3,
    "batch_size": 4,
    "channels": 8,
    "downsamplings": 2,
    "doublings": 1,
    "blocks": 1,
    "dropout": 0.0,
    "bits": 4,
    "bits_at_once": 2,
    "predictor_size": 8,
    "levels": 4,
    "head_size": 8,
    "imagined_rollouts": 4,
}
POLICY: dict[str, Any] = {
    "rollout": 5,
    "channels": (4,),
    "kernels": (3,),
    "strides": (2,),
    "hidden_layers": (8,),
    "epochs": 1,
    "minibatches": 2,
}
SPEC = acme_specs.EnvironmentSpec(
    observations=specs.BoundedArray(FRAME, np.uint8, 0, 255, "pixels"),
    actions=specs.DiscreteArray(NUM_ACTIONS, np.int32, "action"),
    rewards=specs.Array([], np.float32),
    discounts=specs.BoundedArray([], np.float32, 0, 1),
)


def builder(policy: dict[str, Any] | None = None, **changes: Any) -> SimPLeBuilder:
    config = SimPLeConfig(**{**SMALL, **changes})
    return SimPLeBuilder(config, SimPLePolicyConfig(**{**POLICY, **(policy or {})}))


def networks_of(made: SimPLeBuilder, scale: float = 0.5) -> SimPLeNetworks:
    """With weights that nobody begins with, so that everything depends on everything."""
    networks, rng = made.make_networks(SPEC, seed=0), np.random.RandomState(0)
    for variable in networks.trainable_variables:
        variable.assign(variable + scale * rng.normal(size=variable.shape))
    return networks


def frames(rng: np.random.RandomState, *leading: int) -> np.ndarray:
    return (85 * rng.randint(0, 4, [*leading, *FRAME])).astype(np.uint8)


def sequences(rng: np.random.RandomState, batch: int = 4, unroll: int = 3) -> Rollouts:
    """Items of S − 1 + K rows, none of which is final."""
    length = SMALL["frame_stack"] - 1 + unroll
    return Rollouts(
        tf.constant(frames(rng, batch, length + 1)),
        tf.constant(rng.randint(0, NUM_ACTIONS, [batch, length]), tf.int32),
        tf.constant(rng.choice([-1.0, 0.0, 1.0], [batch, length]), tf.float32),
        tf.constant(rng.randint(0, 2, [batch, length]), tf.float32),
        tf.zeros([batch, length + 1], tf.bool),
        {},
    )
