"""Transitions of n steps with the frames that their two states are seen by.

The rows of an item about step t, whose states are stacks of S observations:

    observations   o_{t-S+1} …   o_t   …   o_{t+n}      S + n; before an episode there are zeros
    action                       a_t
    rewards                      r_t   …   r_{t+n-1}    n
    discounts                    d_t   …   d_{t+n-1}    n

Behind a terminal state there are zeros, which its discount of 0 keeps out of every target. Of an
episode that a time limit cut, steps that n more do not follow are left out: what came then is not
known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import dm_env
import numpy as np
import reverb
import tensorflow as tf
from acme import specs
from acme.adders import base


class Transitions(NamedTuple):
    """Items, as they are stored, or a batch of them.

    Attributes:
      observations: [B, S + n, …].
      action: [B, …].
      rewards, discounts: [B, n].
    """

    observations: Any
    action: Any
    rewards: Any
    discounts: Any


def signature(spec: specs.EnvironmentSpec, frame_stack: int, n_step: int) -> Transitions:
    """TensorSpecs of an item."""
    seen, action = spec.observations, spec.actions
    return Transitions(
        tf.TensorSpec([frame_stack + n_step, *seen.shape], seen.dtype, "observations"),
        tf.TensorSpec(action.shape, action.dtype, "action"),
        tf.TensorSpec([n_step], tf.float32, "rewards"),
        tf.TensorSpec([n_step], tf.float32, "discounts"),
    )


class TransitionAdder(base.Adder):
    """Writes a transition as soon as it is known; each observation is stored once.

    A row of the writer's is an observation with the action, reward and discount that led to it.
    """

    def __init__(
        self,
        client: reverb.Client,
        table: str,
        frame_stack: int,
        n_step: int,
        priority: float = 1.0,
    ) -> None:
        self._table, self._frame_stack, self._n_step = table, frame_stack, n_step
        self._priority = priority
        self._writer = client.trajectory_writer(num_keep_alive_refs=frame_stack + n_step)
        self._first: Any = None
        self._rows = 0

    def reset(self) -> None:
        """Forgets the episode in progress."""
        self._writer.end_episode()

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Starts an episode."""
        self._first, self._rows = np.asarray(timestep.observation), 0

    def add(self, action: Any, next_timestep: dm_env.TimeStep, extras: Any = ()) -> None:
        """Adds a step; of `extras` nothing is kept."""
        action = np.asarray(action)
        if self._rows == 0:
            self._begin(np.zeros_like(action))
        zero = np.zeros_like(self._first)
        self._append(np.asarray(next_timestep.observation), action, next_timestep)
        if next_timestep.last():
            if next_timestep.discount == 0:
                over = next_timestep._replace(reward=0.0)
                for _ in range(self._n_step - 1):
                    self._append(zero, np.zeros_like(action), over)
            self._writer.end_episode()

    def flush(self) -> None:
        """Returns when all items are in the table."""
        self._writer.flush()

    def _begin(self, no_action: np.ndarray) -> None:
        """The rows before the first step, S of them."""
        start = dm_env.restart(None)._replace(reward=0.0, discount=0.0)
        for _ in range(self._frame_stack - 1):
            self._append(np.zeros_like(self._first), no_action, start)
        self._append(self._first, no_action, start)

    def _append(self, observation: np.ndarray, action: Any, timestep: dm_env.TimeStep) -> None:
        reward, discount = np.float32(timestep.reward), np.float32(timestep.discount)
        self._writer.append([observation, action, reward, discount])
        self._rows += 1
        size, n = self._frame_stack + self._n_step, self._n_step
        if self._rows >= size:
            observations, actions, rewards, discounts = self._writer.history
            item = [observations[-size:], actions[-n], rewards[-n:], discounts[-n:]]
            self._writer.create_item(self._table, self._priority, item)


def n_step_transition(batch: Transitions, discount: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Σ_i (Π_{j<i} γ d_j) r_i and Π_j γ d_j, both [B], of γ = `discount`."""
    discounts = discount * batch.discounts
    weights = tf.math.cumprod(discounts, axis=1, exclusive=True)
    return tf.reduce_sum(weights * batch.rewards, axis=1), tf.reduce_prod(discounts, axis=1)
