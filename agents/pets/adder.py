"""What PETS writes to replay."""

from __future__ import annotations

from typing import Any

import dm_env
import reverb
from acme.adders.reverb import episode as adders


class EpisodeAdder(adders.EpisodeAdder):
    """Writes each episode as one item, and one of more than `max_steps` steps as several.

    Each piece begins with the observation that the last one ended with, as an episode begins, so
    that no transition is lost. Reverb keeps a piece's rows in memory until it is written.
    """

    def __init__(self, client: reverb.Client, table: str, max_steps: int) -> None:
        rows = max_steps + 1  # The last observation has one of its own.
        super().__init__(client, max_sequence_length=rows + 1, priority_fns={table: None})
        self._max_steps, self._steps = max_steps, 0

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Starts an episode."""
        super().add_first(timestep)
        self._steps = 0

    def add(self, action: Any, next_timestep: dm_env.TimeStep, extras: Any = ()) -> None:
        """Adds a transition; the last one of an episode, or of a piece, writes it."""
        self._steps += 1
        ends_piece = self._steps == self._max_steps and not next_timestep.last()
        if not ends_piece:
            super().add(action, next_timestep, extras)
            return
        super().add(action, next_timestep._replace(step_type=dm_env.StepType.LAST), extras)
        self.add_first(dm_env.restart(next_timestep.observation))
