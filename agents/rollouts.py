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
    """Keeps one environment's rows; a rollout is the last T + 1 of them when it is written.

    A row that is kept is an observation with the action that led to it and what came of that. They
    go to Reverb as one step of its writer: row by row that takes twice the time of a decision.
    """

    def __init__(self, writer: reverb.TrajectoryWriter, table: str, length: int) -> None:
        """Makes an adder.

        Args:
          writer: where environments share one, rollouts come to the table in the order in which
            they are written.
          table: of rollouts.
          length: T.
        """
        self._writer, self._table, self._length = writer, table, length
        self._first: dm_env.TimeStep | None = None
        self._columns: Rollouts | None = None  # Of rows [T + 1, …].
        self._rows = 0

    def reset(self) -> None:
        """Forgets all rows."""
        self._rows = 0

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Adds the row that starts an episode."""
        self._first = timestep
        if self._columns is not None:  # Else what an action looks like is seen with the next row.
            self._append_first()

    def add(
        self, action: Any, next_timestep: dm_env.TimeStep, extras: Mapping[str, Any] | None = None
    ) -> None:
        """Adds the row that an action led to."""
        if self._columns is None:
            self._make_columns(row_led_to(action, next_timestep, extras or {}))
            self._append_first()
        columns, here = self._columns, self._next_row()
        _put(columns.observation, here, next_timestep.observation)
        columns.action[here] = action
        columns.reward[here] = next_timestep.reward
        columns.discount[here] = next_timestep.discount
        columns.start_of_episode[here] = False
        for name, value in (extras or {}).items():
            _put(columns.state if name == STATE else columns.extras[name], here, value)

    def write(self) -> None:
        """Makes an item of the last T + 1 rows.

        Raises:
          ValueError: there are less.
        """
        if self._rows <= self._length:
            raise ValueError(f"{self._rows} rows are no rollout, expected {self._length + 1}")
        # Lists of leaves: with nests, Reverb's writer spends most of its time on their paths.
        self._writer.append(tree.flatten(item_of(self._columns, self._length)))
        whole = [column[-1] for column in self._writer.history]
        self._writer.create_item(self._table, 1.0, whole)
        for column in tree.flatten(self._columns):
            column[0] = column[-1]
        self._rows = 1

    def flush(self) -> None:
        """Returns when what was written is in the table."""
        self._writer.flush()

    def _make_columns(self, row: Rollouts) -> None:
        def rows_like(leaf: Any) -> np.ndarray:
            leaf = np.asarray(leaf)
            return np.zeros((self._length + 1, *leaf.shape), leaf.dtype)

        self._columns = tree.map_structure(rows_like, row)

    def _append_first(self) -> None:
        here = self._next_row()
        for column in tree.flatten(self._columns):
            column[here] = 0
        _put(self._columns.observation, here, self._first.observation)
        self._columns.start_of_episode[here] = True

    def _next_row(self) -> int:
        """Where it goes; if there are T + 1, the oldest gives way."""
        if self._rows > self._length:
            for column in tree.flatten(self._columns):
                column[:-1] = column[1:]
            self._rows -= 1
        self._rows += 1
        return self._rows - 1


def _put(columns: Any, row: int, nest: Any) -> None:
    """Writes a nest of arrays […] into a row of a nest of [T + 1, …]."""
    if isinstance(columns, np.ndarray):  # `tree` costs more than the rest.
        columns[row] = nest
        return
    for column, leaf in zip(tree.flatten(columns), tree.flatten(nest), strict=True):
        column[row] = leaf
