"""Adders of our own, beside Acme's: for what is known only when an episode is over."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import dm_env
from acme.adders import base


class Move(NamedTuple):
    """A move of an episode.

    Attributes:
      action: that was done.
      timestep: with which the environment answered.
      extras: what the policy recorded.
    """

    action: Any
    timestep: dm_env.TimeStep
    extras: dict[str, Any]


class WholeEpisodeAdder(base.Adder):
    """Keeps an episode of L moves until it is over, and writes it then.

    Attributes:
      observations: L + 1 so far.
      moves: L so far.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Discards the episode in progress."""
        self.observations: list[Any] = []
        self.moves: list[Move] = []

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Starts an episode."""
        self.reset()
        self.observations = [timestep.observation]

    def add(self, action: Any, next_timestep: dm_env.TimeStep, extras: dict[str, Any]) -> None:
        """Adds a move; `extras` are what the policy recorded. The last one writes the episode."""
        self.moves.append(Move(action, next_timestep, extras))
        self.observations.append(next_timestep.observation)
        if next_timestep.last():
            self.write()
            self.reset()

    @abc.abstractmethod
    def write(self) -> None:
        """Writes the episode; its items are in the table when this returns."""
