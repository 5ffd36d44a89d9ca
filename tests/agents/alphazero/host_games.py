"""Games of OpenSpiel in progress, for searches on the host."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from pipelines.environments import BatchedEnvironment, board_game


def games_of(game: str, count: int, moves: int, **arguments) -> tuple[BatchedEnvironment, dict]:
    """Games after some random moves, and what is seen of them."""
    batch = BatchedEnvironment([board_game(seed=i, game=game, **arguments) for i in range(count)])
    rng, timesteps = np.random.RandomState(4), batch.reset()
    for _ in range(moves):
        seen = [timestep.observation["legal_actions"] for timestep in timesteps]
        timesteps = batch.step([rng.choice(np.flatnonzero(legal)) for legal in seen])
    return batch, observed(timesteps)


def observed(timesteps) -> dict[str, tf.Tensor]:
    rows = [timestep.observation for timestep in timesteps]
    return {name: tf.constant(np.stack([row[name] for row in rows])) for name in rows[0]}
