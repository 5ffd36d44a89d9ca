"""Small agents and episodes for tests."""

from __future__ import annotations

import dataclasses
from typing import Any

import dm_env
import numpy as np
import tensorflow as tf
from acme import specs

from agents.builder import Role
from agents.muzero import MuZeroBuilder, MuZeroConfig
from agents.muzero.acting import MuZeroPolicy
from agents.types import Trajectory

NUM_ACTIONS = 4

VECTORS = MuZeroConfig(
    torso="mlp",
    frame_stack=1,
    latent_size=8,
    hidden_layers=(16,),
    head_layers=(8,),
    normalisation="none",
    value_limit=10,
    unroll_steps=3,
    n_step=2,
    discount=0.9,
    batch_size=6,
    replay_capacity=1000,
    num_simulations=6,
    optimizer="adam",
    learning_rate=3e-3,
)
BOARD = dataclasses.replace(
    VECTORS,
    torso="board",
    channels=8,
    blocks=1,
    action_planes="cells",
    value_limit=None,
    n_step=None,
    discount=-1.0,
)
ATARI = dataclasses.replace(
    VECTORS,
    torso="atari",
    channels=4,
    blocks=1,
    downsampling_blocks=(1, 1, 1),
    frame_stack=3,
    action_planes="index",
)

_SEEN = {
    "mlp": specs.Array((5,), np.float32, "state"),
    "board": {
        "board": specs.Array((2, 2, 3), np.float32, "board"),
        "legal_actions": specs.Array((NUM_ACTIONS,), bool, "legal_actions"),
    },
    "atari": specs.BoundedArray((32, 32, 3), np.uint8, 0, 255, "frame"),
}


def spec(config: MuZeroConfig) -> specs.EnvironmentSpec:
    return specs.EnvironmentSpec(
        observations=_SEEN[config.torso],
        actions=specs.DiscreteArray(NUM_ACTIONS),
        rewards=specs.Array((), np.float32),
        discounts=specs.BoundedArray((), np.float32, 0, 1),
    )


def observation(config: MuZeroConfig, rng: np.random.RandomState) -> Any:
    if config.torso == "board":
        legal = rng.uniform(size=NUM_ACTIONS) < 0.6
        legal[rng.randint(NUM_ACTIONS)] = True
        return {
            "board": rng.randint(0, 2, (2, 2, 3)).astype(np.float32),
            "legal_actions": legal,
        }
    if config.torso == "atari":
        return rng.randint(0, 256, (32, 32, 3)).astype(np.uint8)
    return rng.normal(size=5).astype(np.float32)


def batch_of(config: MuZeroConfig, rng: np.random.RandomState, size: int) -> Any:
    """Observations [B, …]."""
    rows = [observation(config, rng) for _ in range(size)]
    return tf.nest.map_structure(lambda *leaves: tf.constant(np.stack(leaves)), *rows)


@dataclasses.dataclass
class Episode:
    """L random moves and what the search said of them."""

    config: MuZeroConfig
    length: int
    over: bool
    seed: int = 0

    def __post_init__(self) -> None:
        rng = np.random.RandomState(self.seed)
        self.observations = [observation(self.config, rng) for _ in range(self.length + 1)]
        self.actions = rng.randint(0, NUM_ACTIONS, self.length).astype(np.int32)
        self.rewards = rng.normal(size=self.length).astype(np.float32)
        self.values = rng.normal(size=self.length).astype(np.float32)
        self.policies = rng.dirichlet(np.ones(NUM_ACTIONS), self.length).astype(np.float32)

    def add_to(self, adder: Any) -> None:
        adder.add_first(dm_env.restart(self.observations[0]))
        for t in range(self.length):
            last = t + 1 == self.length
            timestep = dm_env.TimeStep(
                dm_env.StepType.LAST if last else dm_env.StepType.MID,
                self.rewards[t],
                np.float32(0 if last and self.over else 1),
                self.observations[t + 1],
            )
            extras = {
                "search_policy": self.policies[t],
                "search_value": self.values[t],
                "searched_at": np.int32(3),
            }
            adder.add(self.actions[t], timestep, extras)


def random_batch(config: MuZeroConfig, size: int = 6, seed: int = 0) -> Trajectory:
    """A batch [B, T, …] as replay yields it, of positions in mid-episode."""
    rng = np.random.RandomState(seed)
    shape = [size, config.length]
    rows = [[observation(config, rng) for _ in range(config.length)] for _ in range(size)]
    stacked = [tf.nest.map_structure(lambda *x: np.stack(x), *row) for row in rows]
    policies = rng.dirichlet(np.ones(NUM_ACTIONS), shape).astype(np.float32)
    ones = np.ones(shape, np.float32)
    batch = Trajectory(
        tf.nest.map_structure(lambda *x: np.stack(x), *stacked),
        rng.randint(0, NUM_ACTIONS, shape).astype(np.int32),
        rng.uniform(-1, 1, shape).astype(np.float32),
        ones,
        np.zeros(shape, bool),
        {
            "search_policy": policies,
            "search_value": rng.uniform(-1, 1, shape).astype(np.float32),
            "searched_at": np.zeros(shape, np.int32),
            "value_target": rng.uniform(-1, 1, shape).astype(np.float32),
            "policy_weight": ones,
            "value_weight": ones,
        },
    )
    return tf.nest.map_structure(tf.constant, batch)


def builder(config: MuZeroConfig) -> MuZeroBuilder:
    return MuZeroBuilder(config)


def policy(
    config: MuZeroConfig, evaluation: bool = False, seed: int = 0, shake: float = 0.3
) -> MuZeroPolicy:
    """A policy whose network has been shaken out of its zeros."""
    made, environment = builder(config), spec(config)
    network = made.make_networks(environment, seed)
    rng = np.random.RandomState(seed)
    for variable in network.trainable_variables:
        variable.assign_add(shake * rng.normal(size=variable.shape).astype(np.float32))
    return made.make_policy(network, environment, Role(evaluation=evaluation))
