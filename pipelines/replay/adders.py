"""Between actor and an agent's adder: when steps are handed on, and how a resume takes them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dm_env
import numpy as np
import tree

from agents.actor import Step
from pipelines.replay.client import Client


class EpisodeBuffer:
    """An adder that hands an episode to the adder it wraps when it is over, and else not at all.

    So a table never holds a part of an episode, and a run stopped in mid-episode resumes with whole
    ones. Since episodes are written one at a time, the buffers of several environments may share
    one wrapped adder.
    """

    def __init__(self, adder: Any):
        self._adder = adder
        self._first: dm_env.TimeStep | None = None
        self._steps: list[tuple[Any, dm_env.TimeStep, Any]] = []

    def __len__(self) -> int:
        """Returns the number of transitions held back."""
        return len(self._steps)

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Starts an episode, dropping one that was not finished."""
        if not timestep.first():
            raise ValueError("add_first takes the first time step of an episode")
        self.reset()
        self._first = _copied(timestep)

    def add(self, action: Any, next_timestep: dm_env.TimeStep, extras: Any = ()) -> None:
        """Adds a transition; after the last one every item is in the table when this returns."""
        if self._first is None:
            raise ValueError("add comes after add_first")
        self._steps.append((_copied(action), _copied(next_timestep), _copied(extras)))
        if next_timestep.last():
            self._write()

    def rehearse(self, first: dm_env.TimeStep, steps: Sequence[Step]) -> None:
        """Takes up an episode in progress; of one that is over a stop has cut the writing."""
        self.add_first(first)
        self._steps = [(step.action, step.timestep, step.extras) for step in steps]
        if steps and steps[-1].timestep.last():
            self._write()

    def reset(self) -> None:
        """Discards what is buffered."""
        self._first = None
        self._steps = []

    def _write(self) -> None:
        first, steps = self._first, self._steps
        self.reset()
        self._adder.add_first(first)
        for action, timestep, extras in steps:
            # Acme's adders end the episode at its last step and wait for the server's confirmation.
            self._adder.add(action, timestep, extras)


class StepAdder:
    """An adder that hands each step on at once.

    At a resume the adder it wraps sees the steps of the episode in progress once more, so that it
    knows what comes before the next one; what they make is in the table already.
    """

    def __init__(self, make_adder: Callable[[], Any], client: Client):
        self._make, self._client = make_adder, client
        self._adder = make_adder()

    def add_first(self, timestep: dm_env.TimeStep) -> None:
        """Starts an episode."""
        self._adder.add_first(timestep)

    def add(self, action: Any, next_timestep: dm_env.TimeStep, extras: Any = ()) -> None:
        """Adds a transition."""
        self._adder.add(action, next_timestep, extras)

    def rehearse(self, first: dm_env.TimeStep, steps: Sequence[Step]) -> None:
        """Takes up an episode in progress."""
        with self._client.making_no_items():
            self.add_first(first)
            for step in steps:
                self.add(step.action, step.timestep, step.extras or ())

    def write(self) -> None:
        """Makes an item of what the adder it wraps holds back."""
        if hasattr(self._adder, "write"):
            self._adder.write()

    def flush(self) -> None:
        """Returns when the steps' items are in the table, where the adder it wraps can say so."""
        if hasattr(self._adder, "flush"):
            self._adder.flush()

    def reset(self) -> None:
        """Discards the episode in progress: Acme's adders keep its last observation at a reset."""
        self._adder = self._make()


def _copied(nest: Any) -> Any:
    """Copies arrays: environments and policies may reuse theirs before the episode is over."""
    return tree.map_structure(lambda x: x.copy() if isinstance(x, np.ndarray) else x, nest)
