"""Sequences of one episode that overlap, with what a recurrent policy remembered before each.

An item is a `Rollouts` of T rows, the first `burn_in` of which only warm the memory up; the next
item of the episode begins `period` rows behind it. Before an episode stand `burn_in` rows of
padding, so that all of its rows are learned from, and behind it as many as fill the last item. With
T = 4, of them a burn-in of 1, and a period of 2, of an episode of four actions:

    row                 pad    0      1      2      3      4      pad
    observation         0      o_0    o_1    o_2    o_3    o_4    0
    action              0      a_0    a_1    a_2    a_3    0      0
    start_of_episode    True   True   False  False  False  False  True
    first item          |-----------------------------|         learned from: 0, 1, 2
    second item                       |-----------------------|   learned from: 2, 3

Rows that take no action, padding included, are what `final_rows` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dm_env
import numpy as np
import reverb
import tree
from acme.adders import base

from agents.rollouts import Rollouts, item_of, row_led_to


class SequenceAdder(base.Adder):
    """Writes an item as soon as its last row is known.

    Args:
      client: of the table's server.
      table: its name, or those of several, which get the same items.
      length: T, the burn-in included.
      burn_in: rows of each item that nothing is learned from.
      period: rows between the beginnings of two items.
      priority: of new items.
    """

    def __init__(
        self,
        client: reverb.Client,
        table: str | Sequence[str],
        length: int,
        burn_in: int,
        period: int,
        priority: float = 1.0,
    ) -> None:
        self._tables = [table] if isinstance(table, str) else list(table)
        self._priority = priority
        self._length, self._burn_in, self._period = length, burn_in, period
        self._writer = client.trajectory_writer(num_keep_alive_refs=length + 1)
        self._first: dm_env.TimeStep | None = None
        self._rows, self._written = 0, 0  # Of the episode, padding included; those in items.

    def reset(self) -> None:
        """Forgets the episode in progress."""
        self._writer.end_episode()

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Starts an episode."""
        self._first, self._rows, self._written = timestep, 0, 0

    def add(
        self, action: Any, next_timestep: dm_env.TimeStep, extras: Mapping[str, Any] | None = None
    ) -> None:
        """Adds the row that an action led to."""
        row = row_led_to(action, next_timestep, extras or {})
        if self._rows == 0:
            self._begin(_padding(row))
        self._append(row)
        if next_timestep.last():
            self._fill(_padding(row))
            self._writer.end_episode()

    def flush(self) -> None:
        """Returns when all items are in the table."""
        self._writer.flush()

    def _begin(self, padding: Rollouts) -> None:
        """The rows before the first action."""
        for _ in range(self._burn_in):
            self._append(padding)
        self._append(padding._replace(observation=self._first.observation))

    def _fill(self, padding: Rollouts) -> None:
        """The rows behind the last one, so that all are in items."""
        last = self._rows
        while self._written < last:
            self._append(padding)

    def _append(self, row: Rollouts) -> None:
        self._writer.append(tree.flatten(row))
        self._rows += 1
        beyond = self._rows - (self._length + 1)
        if beyond >= 0 and beyond % self._period == 0:
            columns = tree.unflatten_as(row, self._writer.history)
            item = tree.flatten(item_of(columns, self._length))
            for table in self._tables:
                self._writer.create_item(table, self._priority, item)
            self._written = self._rows


def _padding(row: Rollouts) -> Rollouts:
    """A row of no episode that looks like one."""
    return tree.map_structure(np.zeros_like, row)._replace(start_of_episode=np.asarray(True))
