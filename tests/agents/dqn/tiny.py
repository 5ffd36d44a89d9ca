"""A small DQN and the data it takes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from acme import specs as acme_specs
from dm_env import specs

from agents.dqn import DQNBuilder, DQNConfig
from agents.dqn.networks import DQNNetworks
from agents.transitions import Transitions

NUM_ACTIONS = 4
SEEN = {
    "mlp": specs.Array([3], np.float32, "state"),
    "atari": specs.BoundedArray([12, 12, 1], np.uint8, 0, 255, "pixels"),
}


def config(torso: str = "mlp", **changes) -> DQNConfig:
    sizes = {"hidden_layers": (8,), "channels": (4,), "kernels": (4,), "strides": (4,)}
    return DQNConfig(**{"torso": torso, "frame_stack": 2, **sizes, **changes})


def spec(torso: str = "mlp") -> acme_specs.EnvironmentSpec:
    return acme_specs.EnvironmentSpec(
        observations=SEEN[torso],
        actions=specs.DiscreteArray(NUM_ACTIONS),
        rewards=specs.Array([], np.float32),
        discounts=specs.BoundedArray([], np.float32, 0, 1),
    )


def builder_and_networks(torso: str = "mlp", **changes) -> tuple[DQNBuilder, DQNNetworks]:
    """The two networks differ, as they do between renewals."""
    builder = DQNBuilder(config(torso, **changes))
    networks = builder.make_networks(spec(torso), seed=0)
    rng = np.random.RandomState(0)
    for variable in networks.target.trainable_variables:
        variable.assign_add(rng.normal(size=variable.shape, scale=0.5))
    return builder, networks


def batch(rng: np.random.RandomState, settings: DQNConfig, size: int = 5) -> Transitions:
    """Every second one is over after its first step."""
    seen, n = SEEN[settings.torso], settings.n_step
    shape = [size, settings.frame_stack + n, *seen.shape]
    pixels = seen.dtype == np.uint8
    discounts = rng.uniform(0.5, 1, [size, n])
    discounts[::2] = 0
    return Transitions(
        tf.constant(rng.randint(0, 256, shape) if pixels else rng.normal(size=shape), seen.dtype),
        tf.constant(rng.randint(0, NUM_ACTIONS, size), tf.int32),
        tf.constant(3 * rng.normal(size=[size, n]), tf.float32),
        tf.constant(discounts, tf.float32),
    )
