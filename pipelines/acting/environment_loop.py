"""Where policy and environments meet: episodes, or steps, in a batch of environments.

What is in progress when a run stops is part of its state: each row's random state as its episode
began, and what was done since. Doing it again gives the same episode, without asking the policy.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import dm_env
import numpy as np
import tree

from agents.actor import Actor, Step
from pipelines.acting.row import Episode, Row
from pipelines.environments import BatchedEnvironment
from pipelines.system.errors import Interrupted

T = TypeVar("T")


@dataclasses.dataclass
class _Round:
    """How far a call of `run` is, which a stop may cut: what it began, and what is over."""

    started: int = 0
    steps: int = 0
    episodes: list[Episode] = dataclasses.field(default_factory=list)


class EnvironmentLoop:
    """Steps B environments with an actor: for whole episodes (`run`) or for steps (`rollout`).

    Attributes:
      seconds: spent so far in the `policy`, in the `environment`, and in writing to `replay`.
    """

    def __init__(
        self, environment: BatchedEnvironment, should_stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._environment, self._should_stop = environment, should_stop
        self._rows: list[Row | None] = [None] * environment.batch_size
        self._last: list[dm_env.TimeStep | None] = [None] * environment.batch_size
        self._round = _Round()
        self.seconds = dict.fromkeys(("policy", "environment", "replay"), 0.0)

    @property
    def environment(self) -> BatchedEnvironment:
        """The environments."""
        return self._environment

    def run(
        self,
        actor: Actor,
        num_episodes: int,
        record: int = 0,
        on_step: Callable[[int], None] = lambda steps: None,
    ) -> list[Episode]:
        """Plays `num_episodes` episodes and returns them in the order they ended.

        Environments that have no further episode to play rest, so that which random numbers they
        used depends on the number of their episodes alone. After a stop the next call goes on.

        Args:
          actor: acts.
          num_episodes: in all, shared out among the environments as they become free.
          record: observations, actions and frames are kept of that many, the first that start.
          on_step: called after each step of all with the number of steps of this round so far; at
            that moment `state` tells all there is.

        Raises:
          Interrupted: the run is to stop.
        """
        done = self._round
        self._collect_ended(done)  # Those whose last step a stop kept from being written.
        while len(done.episodes) < num_episodes:
            self._check_stop()
            for i, row in enumerate(self._rows):
                if row is None and done.started < num_episodes:
                    self._begin(i, actor, done.started < record)
                    done.started += 1
            done.steps += self._step(actor, [row is not None for row in self._rows])
            self._collect_ended(done)
            on_step(done.steps)
        self._round = _Round()
        return done.episodes

    def rollout(
        self, actor: Actor, length: int, on_step: Callable[[int], None] = lambda steps: None
    ) -> tuple[list[Episode], int]:
        """Advances each environment by `length` rows; episodes go on from call to call.

        A row is a time step: one that ends an episode takes no action, and leads to the next first
        one. So every environment gives as many rows, whatever its episodes' lengths.

        Args:
          actor: acts.
          length: T.
          on_step: called after each row with the number of steps of this call so far.

        Returns:
          the episodes that ended, and the number of steps, which are rows with an action.

        Raises:
          Interrupted: the run is to stop; nothing was done in this call.
        """
        self._check_stop()
        for i, row in enumerate(self._rows):
            if row is None:
                self._begin(i, actor)
        episodes, steps = [], 0
        for _ in range(length):
            active = [not row.over for row in self._rows]
            if any(active):
                steps += self._step(actor, active)
            for i in np.flatnonzero(np.logical_not(active)):
                self._begin(i, actor)
            episodes += [row.episode() for row in self._rows if row.ended_now]
            on_step(steps)
        with self._timed("replay"):
            actor.flush()
        return episodes, steps

    def abandon(self) -> None:
        """Forgets what is in progress."""
        self._rows = [None] * len(self._rows)
        self._round = _Round()

    def state(self) -> dict[str, Any]:
        """What is in progress, and where the environments' randomness is."""
        pairs = zip(self._rows, self._environment.environments, strict=True)
        done = self._round
        return {
            "random": [env.random_state() if row is None else row.begun for row, env in pairs],
            "rows": [None if row is None else row.state() for row in self._rows],
            "started": done.started,
            "steps": done.steps,
            "episodes": [[e.episode_return, e.length] for e in done.episodes],
        }

    def restore(self, state: Mapping[str, Any], actor: Actor) -> None:
        """Does again what was in progress; `actor` is the one that did it.

        Raises:
          ValueError: it is the state of another number of environments.
        """
        self._environment.set_random_state(state["random"])
        for i, saved in enumerate(state["rows"]):
            self._rows[i] = None if saved is None else self._rehearse(i, saved, actor)
        self._round = _Round(
            state["started"], state["steps"], [Episode(*pair) for pair in state["episodes"]]
        )

    def _rehearse(self, i: int, saved: Mapping[str, Any], actor: Actor) -> Row:
        environment = self._environment.environments[i]
        begun = environment.random_state()
        row = Row(begun, environment.reset(), saved["record"], environment)
        first, steps = row.timestep, []
        for t in range(saved["length"]):
            action = saved["actions"][t]
            extras = tree.map_structure(lambda values, t=t: values[t], saved["extras"])
            steps.append(Step(action, extras, environment.step(action)))
            row.add(steps[-1])
        row.ended_now = False
        self._last[i] = row.timestep
        actor.rehearse(i, first, steps)
        return row

    def _collect_ended(self, done: _Round) -> None:
        for i, row in enumerate(self._rows):
            if row is not None and row.over:
                done.episodes.append(row.episode())
                self._rows[i] = None

    def _check_stop(self) -> None:
        if self._should_stop():
            raise Interrupted

    def _begin(self, i: int, actor: Actor, record: bool = False) -> None:
        """Starts an episode in environment `i`."""
        environment = self._environment.environments[i]
        with self._timed("environment"):
            begun = environment.random_state()
            timestep = self._environment.reset(i)
        with self._timed("replay"):
            actor.observe_first(i, timestep)
        self._rows[i] = Row(begun, timestep, record, environment)
        self._last[i] = timestep

    def _step(self, actor: Actor, active: list[bool]) -> int:
        """Acts once in every active environment; returns their number."""
        # Idle rows show the policy something of the right shape.
        filler = next(timestep for timestep in self._last if timestep is not None)
        with self._timed("policy"):
            actions = actor.select_action([last or filler for last in self._last], active)
        with self._timed("environment"):
            timesteps = self._environment.step(actions, active)
        for row in self._rows:
            if row is not None:
                row.ended_now = False
        with self._timed("replay"):
            steps = {
                i: Step(actions[i], actor.recorded(i), timesteps[i]) for i in np.flatnonzero(active)
            }
            # A stop while one of them is written must not lose another's.
            for i, step in steps.items():
                self._rows[i].add(step)
                self._last[i] = step.timestep
            for i, step in steps.items():
                actor.observe(i, step)
        return sum(active)

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - start


def undone_when_interrupted(loop: EnvironmentLoop, actor: Actor, play: Callable[[], T]) -> T:
    """Plays; if that is interrupted, it is as if it had not begun."""
    states, calls = loop.environment.random_state(), actor.calls
    try:
        return play()
    except Interrupted:
        loop.abandon()
        actor.abandon()
        loop.environment.set_random_state(states)
        actor.calls = calls
        raise
