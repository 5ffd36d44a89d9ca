"""A small D4PG and the data it takes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from acme import specs as acme_specs
from dm_env import specs

from agents.d4pg import D4PGBuilder, D4PGConfig
from agents.d4pg.networks import D4PGNetworks
from agents.transitions import Transitions

SIZE = 2  # Of an action.
SEEN = {
    "states": specs.Array([3], np.float32, "state"),
    "pixels": specs.BoundedArray([9, 9, 1], np.uint8, 0, 255, "pixels"),
}


def config(torso: str = "states", **changes) -> D4PGConfig:
    sizes = {"policy_layers": (8, 8), "critic_layers": (8, 8), "num_atoms": 11, "max_return": 10.0}
    small = {"frame_stack": 2, "pixel_channels": 4, "pixel_features": 6, "n_step": 2}
    return D4PGConfig(**{"torso": torso, **sizes, **small, **changes})


def spec(torso: str = "states") -> acme_specs.EnvironmentSpec:
    return acme_specs.EnvironmentSpec(
        observations=SEEN[torso],
        actions=specs.BoundedArray([SIZE], np.float32, -1, 1, "action"),
        rewards=specs.Array([], np.float32),
        discounts=specs.BoundedArray([], np.float32, 0, 1),
    )


def builder_and_networks(torso: str = "states", **changes) -> tuple[D4PGBuilder, D4PGNetworks]:
    """With weights that nobody begins with; the two pairs differ, as they do between renewals."""
    builder = D4PGBuilder(config(torso, **changes))
    networks = builder.make_networks(spec(torso), seed=0)
    rng = np.random.RandomState(0)
    for variable in networks.trainable_variables:
        variable.assign_add(rng.normal(size=variable.shape, scale=0.3))
    return builder, networks


def batch(rng: np.random.RandomState, settings: D4PGConfig, size: int = 5) -> Transitions:
    """Every second one is over after its first step."""
    seen, n = SEEN[settings.torso], settings.n_step
    shape = [size, settings.frame_stack + n, *seen.shape]
    pixels = seen.dtype == np.uint8
    discounts = rng.uniform(0.5, 1, [size, n])
    discounts[::2] = 0
    return Transitions(
        tf.constant(rng.randint(0, 256, shape) if pixels else rng.normal(size=shape), seen.dtype),
        tf.constant(rng.uniform(-1, 1, [size, SIZE]), tf.float32),
        tf.constant(rng.uniform(0, 2, [size, n]), tf.float32),
        tf.constant(discounts, tf.float32),
    )


def projected(
    atoms: np.ndarray, probabilities: np.ndarray, reward: float, discount: float
) -> np.ndarray:
    """Bellemare et al. 2017, algorithm 1, an atom at a time."""
    width, result = atoms[1] - atoms[0], np.zeros(len(atoms))
    for atom, probability in zip(atoms, probabilities, strict=True):
        place = (np.clip(reward + discount * atom, atoms[0], atoms[-1]) - atoms[0]) / width
        low, high = int(np.floor(place)), int(np.ceil(place))
        if low == high:
            result[low] += probability
        else:
            result[low] += probability * (high - place)
            result[high] += probability * (place - low)
    return result
