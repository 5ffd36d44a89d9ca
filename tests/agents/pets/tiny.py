"""A small PETS and the data it takes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.pets.config import PETSConfig
from agents.types import Trajectory

TINY = {
    "ensemble_size": 3,
    "hidden_layers": (16, 16),
    "weight_decays": (1e-5, 1e-5, 1e-5),
    "particles": 6,
    "planning_horizon": 4,
    "planning_iterations": 3,
    "planning_candidates": 20,
    "planning_elites": 4,
}


def tiny(**changes) -> PETSConfig:
    return PETSConfig(**{**TINY, **changes})


def rows(lengths: list[int], size: int = 4, actions: int = 1, seed: int = 0) -> Trajectory:
    """Whole episodes of those numbers of actions, as the table's dataset yields them.

    Observations are a linear system's, x' = 0.9 x + 0.1 Σ a, so that a model can learn them.
    """
    rng, episodes = np.random.RandomState(seed), []
    for length in lengths:
        action = rng.uniform(-1, 1, [length + 1, actions])
        action[-1] = 0
        state = [rng.normal(size=size)]
        for a in action[:-1]:
            state.append(0.9 * state[-1] + 0.1 * a.sum())
        start = np.arange(length + 1) == 0
        reward = np.append(action[:-1].sum(axis=1), 0)
        episodes.append((np.array(state), action, reward, np.ones(length + 1), start))
    joined = [np.concatenate(leaves) for leaves in zip(*episodes, strict=True)]
    floats = [tf.constant(leaf, tf.float32) for leaf in joined[:4]]
    return Trajectory(*floats, tf.constant(joined[4]), ())
