"""Small agents for tests."""

from __future__ import annotations

import dataclasses

import numpy as np
from acme import specs

from agents.alphazero import AlphaZeroBuilder, AlphaZeroConfig
from agents.builder import Role
from agents.policy import Policy
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
