"""Rollouts of T rows: what an environment gave between two updates, whole episodes or not.

A row is a time step. One that ends an episode holds its final observation alone: it takes no
action, and the next row starts another episode.

    row                  0      1      2      3      4  = T
    observation        o_5    o_6    o_7    o_0    o_1      an episode of seven actions, and another
    action             a_5    a_6    0      a_0               zeros in a row that takes none
    reward             r_5    r_6    0      r_0
    discount           d_5    d_6    0      d_0             d_6 is 0, or 1 where a time limit cut it
    extras             e_5    e_6    0      e_0
    start_of_episode   False  False  False  True   False

Row T is row 0 of the next rollout: what is there stands for all that follows.

What a recurrent policy remembered before row 0 is its `state`; where an episode starts in a row it
remembers nothing.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any, NamedTuple

import dm_env
import numpy as np
import reverb
import tensorflow as tf
import tree
from acme import specs
from acme.adders import base

# The name in a policy's info of what it remembered before the step: kept of row 0 alone.
STATE = "state"


class Rollouts(NamedTuple):
    """An item, as it is stored, or a batch of them.

    Attributes:
      observation: [B, T + 1, …].
      action: [B, T, …].
      reward, discount: [B, T].
      start_of_episode: bool [B, T + 1].
      extras: what the policy recorded, nests of [B, T, …] by name.
      state: [B, …], a nest, of policies that record it; zeros where row 0 takes no action, so that
        an episode starts in row 1; () of others.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    start_of_episode: Any
    extras: Any
    state: Any = ()


def final_rows(rollouts: Rollouts) -> tf.Tensor:
    """Which rows [B, T] hold a final observation alone."""
    return rollouts.start_of_episode[:, 1:]


def signature(spec: specs.EnvironmentSpec, length: int, extras: Mapping[str, Any]) -> Rollouts:
    """TensorSpecs of an item of T = `length`; `extras`, nests, are those of one action."""

    def of(array: Any, rows: int) -> Any:
        return tree.map_structure(
            lambda leaf: tf.TensorSpec([rows, *leaf.shape], leaf.dtype, leaf.name), array
        )

    scalar = tf.TensorSpec([length], tf.float32)
    starts = tf.TensorSpec([length + 1], tf.bool)
    observations, actions = of(spec.observations, length + 1), of(spec.actions, length)
    extras = dict(extras)
    state = extras.pop(STATE, ())
    return Rollouts(observations, actions, scalar, scalar, starts, of(extras, length), state)


def row_led_to(action: Any, timestep: dm_env.TimeStep, extras: Mapping[str, Any]) -> Rollouts:
    """A row of a writer's: a time step's observation, with the action that led to it."""
    extras = dict(extras)
    state = extras.pop(STATE, ())
    return Rollouts(
        observation=timestep.observation,
        action=np.asarray(action),
        reward=np.float32(timestep.reward),
        discount=np.float32(timestep.discount),
        start_of_episode=np.asarray(False),
        extras=extras,
        state=state,
    )


def item_of(columns: Rollouts, length: int) -> Rollouts:
    """An item of the last T + 1 = `length` + 1 rows of a writer's columns."""
    here = lambda column: column[-length - 1 :]  # noqa: E731
    led_here = lambda column: column[-length:]  # noqa: E731
    return Rollouts(
        tree.map_structure(here, columns.observation),
        tree.map_structure(led_here, columns.action),
        led_here(columns.reward),
        led_here(columns.discount),
        here(columns.start_of_episode),
        tree.map_structure(led_here, columns.extras),
        tree.map_structure(lambda column: column[-length], columns.state),
    )


class RolloutAdder(base.Adder):
    """Keeps one environment's rows; a rollout is the last T + 1 of them when `flush` is called.

    A row that is kept is an observation with the action that led to it and what came of that. They
    go to Reverb as one step of its writer: row by row that takes twice the time of a decision.
    """

    def __init__(self, client: reverb.Client, table: str, length: int) -> None:
        self._table, self._length = table, length
        self._writer = client.trajectory_writer(num_keep_alive_refs=1)
        self._rows: collections.deque[list[np.ndarray]] = collections.deque(maxlen=length + 1)
        self._first: dm_env.TimeStep | None = None
        self._like: Rollouts | None = None  # A row; what an action looks like is seen with it.

    def reset(self) -> None:
        """Forgets all rows."""
        self._rows.clear()

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Adds the row that starts an episode."""
        self._first = timestep
        if self._like is not None:
            self._append_first()

    def add(
        self, action: Any, next_timestep: dm_env.TimeStep, extras: Mapping[str, Any] | None = None
    ) -> None:
        """Adds the row that an action led to."""
        row = row_led_to(action, next_timestep, extras or {})
        if self._like is None:
            self._like = row
            self._append_first()
        self._append(row)

    def flush(self) -> None:
        """Makes an item of the last T + 1 rows; it is in the table when this returns."""
        columns = [np.stack(column) for column in zip(*self._rows, strict=True)]
        item = item_of(tree.unflatten_as(self._like, columns), self._length)
        # Lists of leaves: with nests, Reverb's writer spends most of its time on their paths.
        self._writer.append(tree.flatten(item))
        whole = [column[-1] for column in self._writer.history]
        self._writer.create_item(self._table, 1.0, whole)
        self._writer.flush()

    def _append_first(self) -> None:
        row = tree.map_structure(np.zeros_like, self._like)
        observation, start = self._first.observation, np.asarray(True)
        self._append(row._replace(observation=observation, start_of_episode=start))

    def _append(self, row: Rollouts) -> None:
        # Copies: environments and policies may use their arrays again.
        self._rows.append([np.array(leaf) for leaf in tree.flatten(row)])
