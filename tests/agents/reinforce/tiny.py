"""A small REINFORCE and the data it takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from acme import specs as acme_specs
from dm_env import specs

from agents.reinforce import ReinforceBuilder, ReinforceConfig
from agents.reinforce.networks import ReinforceNetworks
from agents.types import Trajectory

SIZE = 3  # Of an observation.
DISCRETE = specs.DiscreteArray(4)
CONTINUOUS = specs.BoundedArray([2], np.float32, [-1, 2], [1, 3])


def spec(actions: specs.BoundedArray) -> acme_specs.EnvironmentSpec:
    return acme_specs.EnvironmentSpec(
        observations=specs.Array([SIZE], np.float32, "state"),
        actions=actions,
        rewards=specs.Array([], np.float32),
        discounts=specs.BoundedArray([], np.float32, 0, 1),
    )


def builder_and_networks(
    actions: specs.BoundedArray, **changes
) -> tuple[ReinforceBuilder, ReinforceNetworks]:
    """With weights that nobody begins with: outputs then depend on all inputs."""
    builder = ReinforceBuilder(ReinforceConfig(hidden_layers=(8,), **changes))
    networks = builder.make_networks(spec(actions), seed=0)
    rng = np.random.RandomState(0)
    for variable in networks.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.5))
    return builder, networks


def episodes(
    rng: np.random.RandomState, actions: specs.BoundedArray, lengths: Sequence[int]
) -> Trajectory:
    """Rows of whole episodes of those numbers of actions; every second one was cut."""
    parts = []
    for i, length in enumerate(lengths):
        shape = [length, *actions.shape]
        if isinstance(actions, specs.DiscreteArray):
            action = rng.randint(0, actions.num_values, shape)
        else:
            action = rng.uniform(actions.minimum, actions.maximum, shape)
        discount = rng.uniform(0.5, 1, [length])
        discount[-1] = i % 2
        leaves = (action.astype(actions.dtype), np.float32(rng.normal(size=length)), discount)
        padded = [np.concatenate([leaf, np.zeros_like(leaf[:1])]) for leaf in leaves]
        start = np.arange(length + 1) == 0
        parts.append((np.float32(rng.normal(size=[length + 1, SIZE])), *padded, start))
    joined = [np.concatenate(leaves) for leaves in zip(*parts, strict=True)]
    joined[3] = joined[3].astype(np.float32)
    return Trajectory(*map(tf.constant, joined))
