"""The cross-entropy method in NumPy and float64: the paper's Algorithm 2 as loops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def optimize(
    objective: Callable[[int, np.ndarray], float],
    noise: np.ndarray,
    num_elites: int,
    action_min: np.ndarray,
    action_max: np.ndarray,
    initial_mean: np.ndarray,
    initial_stddev: np.ndarray,
    stddev_estimator: str,
    momentum: float,
    min_stddev: float,
    ties: str = "keep",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`objective(b, actions [H, A])` judges a candidate; returns mean, stddev, elites' returns."""
    mean, stddev = initial_mean.astype(np.float64), initial_stddev.astype(np.float64)
    returns = np.zeros([noise.shape[1], num_elites])
    for eps in noise.astype(np.float64):
        for b in range(noise.shape[1]):
            actions = np.clip(mean[b] + stddev[b] * eps[b], action_min, action_max)
            scores = np.array([objective(b, candidate) for candidate in actions])
            best = np.argsort(-scores, kind="stable")[:num_elites]
            returns[b] = scores[best]
            if ties == "drop" and scores[best[0]] > scores[best[-1]]:
                best = [j for j in best if scores[j] > scores[best[-1]]]
            elites = actions[best]
            new_mean = elites.mean(axis=0)
            if stddev_estimator == "std":
                new_stddev = elites.std(axis=0)
            else:
                new_stddev = np.abs(elites - new_mean).sum(axis=0) / max(len(best) - 1, 1)
            mean[b] = momentum * mean[b] + (1 - momentum) * new_mean
            stddev[b] = np.maximum(momentum * stddev[b] + (1 - momentum) * new_stddev, min_stddev)
    return mean, stddev, returns
