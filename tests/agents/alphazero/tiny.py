"""Small agents for tests."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf
from acme import specs

from agents.alphazero import AlphaZeroBuilder, AlphaZeroConfig
from agents.builder import Role
from agents.policy import Policy
from agents.types import Trajectory
from pipelines.environments import make_environment_spec, rules_game

CONFIG = AlphaZeroConfig(
    channels=8,
    blocks=1,
    normalisation="none",
    value_layers=(8,),
    batch_size=6,
    replay_capacity=1000,
    num_simulations=8,
    optimizer="adam",
    learning_rate=3e-3,
    learning_rate_drops=(),
)
RESIGNING = dataclasses.replace(CONFIG, resign_threshold=0.9, played_on=0.5)


def spec(game: str = "tic_tac_toe", **arguments) -> specs.EnvironmentSpec:
    return make_environment_spec(rules_game(seed=0, game=game, **arguments))


def policy(
    config: AlphaZeroConfig,
    evaluation: bool = False,
    shake: float = 0.05,
    environment: specs.EnvironmentSpec | None = None,
    role: Role = Role(),  # noqa: B008
) -> Policy:
    """A policy whose network has been shaken out of its zeros."""
    environment = environment or spec(resignation=config.resign_threshold is not None)
    builder = AlphaZeroBuilder(config)
    networks = builder.make_networks(environment, seed=0)
    rng = np.random.RandomState(0)
    for variable in networks.trainable_variables:
        variable.assign_add(shake * rng.normal(size=variable.shape).astype(np.float32))
    return builder.make_policy(networks, environment, role._replace(evaluation=evaluation))


def positions(size: int, seed: int, game: str = "tic_tac_toe") -> dict[str, tf.Tensor]:
    """Observations [B, …] of positions that random moves have led to, none of them over."""
    rng, rows = np.random.RandomState(seed), []
    environment = rules_game(seed=0, game=game)
    while len(rows) < size:
        timestep = environment.reset()
        for _ in range(rng.randint(0, 6)):
            if not timestep.last():
                legal = np.flatnonzero(timestep.observation["legal_actions"])
                timestep = environment.step(rng.choice(legal))
        if not timestep.last():
            rows.append(timestep.observation)
    return {name: tf.constant(np.stack([row[name] for row in rows])) for name in rows[0]}


def batch_of(size: int, seed: int = 0) -> Trajectory:
    """A batch [B, 1, …] as replay yields it."""
    rng = np.random.RandomState(seed)
    observation = positions(size, seed)
    legal = observation["legal_actions"].numpy()
    policies = legal * rng.uniform(0.1, 1, legal.shape)
    policies /= policies.sum(axis=1, keepdims=True)
    zeros, ones = np.zeros(size, np.float32), np.ones(size, np.float32)
    extras = {
        "search_policy": policies.astype(np.float32),
        "search_value": zeros,
        "searched_at": np.zeros(size, np.int32),
        "value_target": rng.choice([-1, 0, 1], size).astype(np.float32),
        "policy_weight": ones,
        "value_weight": ones,
    }
    batch = Trajectory(observation, zeros, zeros, ones, zeros > 0, extras)
    return tf.nest.map_structure(lambda values: tf.constant(values)[:, None], batch)
