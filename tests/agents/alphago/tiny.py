"""A small AlphaGo for tests, and games for it to learn from."""

from __future__ import annotations

import pathlib

import numpy as np
from acme import specs

from agents.alphago import AlphaGoBuilder, AlphaGoConfig
from agents.alphago.networks import AlphaGoNetworks
from agents.boards import sgf
from ops import games
from ops.games.host import HostRules
from pipelines.environments import make_environment_spec, rules_game

SIZE = 5
SETTINGS = dict(
    channels=4,
    layers=2,
    value_units=4,
    batch_size=4,
    optimizer="adam",
    learning_rate=3e-3,
    supervised_updates=4,
    held_out_interval=2,
    held_out=0.3,
    rollout_updates=3,
    rollout_batch_size=4,
    reinforce_updates=2,
    pool_interval=1,
    pool_size=2,
    value_games=6,
    value_last_move=4,
    value_batch_size=4,
    updates_per_step=0.1,
    seed_episodes=2,
    replay_capacity=50,
    replay_sampler="fifo",
    num_simulations=6,
    expansion_threshold=2,
    ladder_moves=20,
)
CONFIG = AlphaGoConfig(**SETTINGS)


def spec(**arguments) -> specs.EnvironmentSpec:
    arguments = {"game": "go", "size": SIZE, "max_moves": 30, **arguments}
    return make_environment_spec(rules_game(seed=0, **arguments))


def networks(config: AlphaGoConfig = CONFIG, shake: float = 0.3) -> AlphaGoNetworks:
    """Networks that have been shaken out of their zeros."""
    made = AlphaGoBuilder(config).make_networks(spec(), seed=0)
    rng = np.random.RandomState(0)
    for variable in made.trainable_variables:
        variable.assign_add(shake * rng.normal(size=variable.shape).astype(np.float32))
    return made


def write_games(folder: pathlib.Path, count: int, size: int = SIZE, seed: int = 0) -> None:
    """SGF files of random games."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, host = np.random.default_rng(seed), HostRules(games.make("go", size=size))
    for number in range(count):
        state, moves = host.initial(1), []
        for move in range(12):
            action = int(rng.choice(np.flatnonzero(host.legal(state)[0])[:-1]))
            state = host.step(state, [action])[0]
            moves.append(f";{'BW'[move % 2]}[{sgf.point_text(action, size)}]")
        text = f"(;GM[1]SZ[{size}]KM[7.5]{''.join(moves)})"
        (folder / f"{number:03d}.sgf").write_text(text)
