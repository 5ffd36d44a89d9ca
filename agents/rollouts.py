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


class Rollouts(NamedTuple):
    """An item, as it is stored, or a batch of them.

    Attributes:
      observation: [B, T + 1, …].
      action: [B, T, …].
      reward, discount: [B, T].
      start_of_episode: bool [B, T + 1].
      extras: what the policy recorded, nests of [B, T, …] by name.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    start_of_episode: Any
    extras: Any


def final_rows(rollouts: Rollouts) -> tf.Tensor:
    """Which rows [B, T] hold a final observation alone."""
    return rollouts.start_of_episode[:, 1:]


def signature(
    spec: specs.EnvironmentSpec, length: int, extras: Mapping[str, tf.TensorSpec]
) -> Rollouts:
    """TensorSpecs of an item of T = `length`; `extras` are those of one action."""

    def of(array: Any, rows: int) -> Any:
        return tree.map_structure(
            lambda leaf: tf.TensorSpec([rows, *leaf.shape], leaf.dtype, leaf.name), array
        )

    scalar = tf.TensorSpec([length], tf.float32)
    starts = tf.TensorSpec([length + 1], tf.bool)
    observations, actions = of(spec.observations, length + 1), of(spec.actions, length)
    return Rollouts(observations, actions, scalar, scalar, starts, of(dict(extras), length))


class RolloutAdder(base.Adder):
    """Writes one environment's rows; a rollout is the last T + 1 of them when `flush` is called.

    A row of the writer's is an observation with the action that led to it and what came of that.
    """

    def __init__(self, client: reverb.Client, table: str, length: int) -> None:
        self._table, self._length = table, length
        self._writer = client.trajectory_writer(num_keep_alive_refs=length + 1)
        self._first: dm_env.TimeStep | None = None
        self._like: Rollouts | None = None  # A row; what an action looks like is seen with it.

    def reset(self) -> None:
        """Forgets all rows."""
        self._writer.end_episode()

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Adds the row that starts an episode."""
        self._first = timestep
        if self._like is not None:
            self._append_first()

    def add(
        self, action: Any, next_timestep: dm_env.TimeStep, extras: Mapping[str, Any] | None = None
    ) -> None:
        """Adds the row that an action led to."""
        row = Rollouts(
            observation=next_timestep.observation,
            action=np.asarray(action),
            reward=np.float32(next_timestep.reward),
            discount=np.float32(next_timestep.discount),
            start_of_episode=np.asarray(False),
            extras=dict(extras or {}),
        )
        if self._like is None:
            self._like = row
            self._append_first()
        self._append(row)

    def flush(self) -> None:
        """Makes an item of the last T + 1 rows; it is in the table when this returns."""
        length = self._length
        here = lambda column: column[-length - 1 :]  # noqa: E731
        led_here = lambda column: column[-length:]  # noqa: E731
        columns = tree.unflatten_as(self._like, self._writer.history)
        item = Rollouts(
            tree.map_structure(here, columns.observation),
            tree.map_structure(led_here, columns.action),
            led_here(columns.reward),
            led_here(columns.discount),
            here(columns.start_of_episode),
            tree.map_structure(led_here, columns.extras),
        )
        self._writer.create_item(self._table, 1.0, tree.flatten(item))
        self._writer.flush()

    def _append_first(self) -> None:
        row = tree.map_structure(np.zeros_like, self._like)
        observation, start = self._first.observation, np.asarray(True)
        self._append(row._replace(observation=observation, start_of_episode=start))

    def _append(self, row: Rollouts) -> None:
        # Lists of leaves: with nests, Reverb's writer spends most of its time on their paths.
        self._writer.append(tree.flatten(row))
