"""ε-greedy actions: now and then any action, each row as often as its rung of a ladder says."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.builder import Role
from agents.q_learning.config import QConfig
from ops import draws


class Exploration(tf.Module):
    """Greedy actions → those that are done; a module, so that its policy's variables are all there.

    Args:
      config: ε at first and at last, of the ladder, and where the policy is judged.
      role: which rows of how many, or an evaluation.
      updates: int32 variable, which counts.
    """

    def __init__(self, config: QConfig, role: Role, updates: tf.Variable) -> None:
        super().__init__(name="exploration")
        self._config, self._evaluation, self._updates = config, role.evaluation, updates
        steps = max(role.total_rows - 1, 1)
        self._exponents = tf.constant(1 + config.ladder * np.array(role.rows) / steps, tf.float32)

    def __call__(self, greedy: tf.Tensor, num_actions: int, seed: tf.Tensor) -> tf.Tensor:
        """Actions [B], of greedy ones [B] and seed int32 [2], or [B, 2], one a row."""
        seeds = draws.split(seed, 2)
        shape, dtype = tf.shape(greedy), greedy.dtype
        random = draws.uniform(shape, seeds[0], 0, num_actions, dtype)
        explores = draws.uniform(shape, seeds[1]) < self._epsilon()
        return tf.where(explores, random, greedy)

    def _epsilon(self) -> tf.Tensor:
        """ε of each row [B], or of all of them."""
        if self._evaluation:
            return tf.constant(self._config.evaluation_exploration)
        return exploration(self._config, self._updates) ** self._exponents


def exploration(config: QConfig, updates: tf.Tensor) -> tf.Tensor:
    """ε after so many updates."""
    return between(config.exploration, config.exploration_updates, updates)


def between(ends: tuple[float, ...], updates: int, done: tf.Tensor) -> tf.Tensor:
    """A number that goes from the first to the last of `ends` over `updates`, and stays there."""
    first, last = ends
    return first + (last - first) * tf.minimum(tf.cast(done, tf.float32) / updates, 1.0)
