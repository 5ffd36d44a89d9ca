"""Acts in a batch of environments with one policy and writes what happens to replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dm_env
import numpy as np
import tensorflow as tf
import tree

from agents.policy import Policy


class Actor:
    """One actor drives B environments: one call of the policy for all of them.

    Rows are independent: each is at its own point of its own episode, and a row whose environment
    starts an episode gets the policy's initial state.

    Attributes:
      calls: of the policy so far; with the seed it determines the next call's randomness, so it is
        saved with a run.
    """

    def __init__(
        self,
        policy: Policy,
        batch_size: int,
        seed: int,
        adders: Sequence[Any] = (),
        extras: Sequence[str] = (),
    ) -> None:
        """Makes an actor at the start of B episodes.

        Args:
          policy: acts.
          batch_size: B.
          seed: of the policy's randomness.
          adders: one for each environment; none: nothing is written.
          extras: names of the policy's info that are written with each action.

        Raises:
          ValueError: as many adders as environments are wanted.
        """
        if adders and len(adders) != batch_size:
            raise ValueError(f"got {len(adders)} adders, expected one for each of {batch_size}")
        self._policy = policy
        self._adders = adders
        self._extras = extras
        self._seed = seed
        self._initial = policy.initial_state(batch_size)
        self._state = self._initial
        self.calls = 0

    @property
    def writes(self) -> bool:
        """Whether episodes go to replay."""
        return bool(self._adders)

    def select_action(self, timesteps: Sequence[dm_env.TimeStep]) -> np.ndarray:
        """Returns actions [B, …] for the environments' last time steps."""
        first = [timestep.first() for timestep in timesteps]
        if any(first):
            self._state = _reset_rows(self._state, self._initial, np.array(first))
        observation = stack([timestep.observation for timestep in timesteps])
        seed = np.array([self._seed, self.calls], np.int32)
        action, self._state, info = self._policy.step(
            tree.map_structure(tf.constant, observation), self._state, tf.constant(seed)
        )
        self._recorded = {name: info[name].numpy() for name in self._extras}
        self.calls += 1
        return action.numpy()

    def observe_first(self, row: int, timestep: dm_env.TimeStep) -> None:
        """Records the first time step of an episode of environment `row`."""
        if self._adders:
            self._adders[row].add_first(timestep)

    def observe(self, row: int, action: np.ndarray, next_timestep: dm_env.TimeStep) -> None:
        """Records an action of environment `row` and what followed."""
        if not self._adders:
            return
        if self._extras:
            extras = {name: values[row] for name, values in self._recorded.items()}
            self._adders[row].add(action, next_timestep, extras)
        else:
            self._adders[row].add(action, next_timestep)

    def abandon(self) -> None:
        """Forgets the episodes in progress; nothing of them reaches replay."""
        self._state = self._initial
        for adder in self._adders:
            adder.reset()


def stack(nests: Sequence[Any]) -> Any:
    """Joins nests of arrays [...] to one nest of [len(nests), ...]."""
    return tree.map_structure(lambda *leaves: np.stack(leaves), *nests)


def _reset_rows(state: Any, initial: Any, rows: np.ndarray) -> Any:
    """Replaces the marked rows [B] of a nest [B, …] by those of `initial`."""

    def select(values: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
        mask = rows.reshape([-1] + [1] * (values.shape.rank - 1))
        return tf.where(mask, start, values)

    return tf.nest.map_structure(select, state, initial)
