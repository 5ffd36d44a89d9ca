"""Where policy and environments meet: runs whole episodes in a batch of environments."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import dm_env
import numpy as np

from agents.actor import Actor, stack
from pipelines.environments import BatchedEnvironment
from pipelines.system.errors import Interrupted, harmless

T = TypeVar("T")

# Pixels of the frames that are drawn where observations are none: height, width.
FILM_SIZE = (96, 96)


class Episode(NamedTuple):
    """What came of one episode.

    Attributes:
      episode_return: sum of its rewards.
      length: L, number of actions.
      observations: [L + 1, …], or a nest of them; None when not recorded.
      actions: [L, …], or None when not recorded.
      frames: uint8 [L + 1, H, W, 3], or None when not recorded: the observations themselves, or
        drawn by the environment where something can be drawn.
    """

    episode_return: float
    length: int
    observations: Any = None
    actions: np.ndarray | None = None
    frames: np.ndarray | None = None


class _Row:
    """The episode in progress in one environment."""

    def __init__(
        self, timestep: dm_env.TimeStep, record: bool, environment: dm_env.Environment
    ) -> None:
        self.timestep = timestep
        self.reward = 0.0
        self.length = 0
        self._observations = [timestep.observation] if record else None
        self._actions: list[np.ndarray] = []
        self._camera = environment.render if record and not _is_frame(timestep) else None
        self._frames: list[np.ndarray] = []
        self._draw()

    def add(self, action: np.ndarray, timestep: dm_env.TimeStep) -> None:
        self.timestep = timestep
        self.reward += float(timestep.reward)
        self.length += 1
        if self._observations is not None:
            self._observations.append(timestep.observation)
            self._actions.append(action)
        self._draw()

    def episode(self) -> Episode:
        if self._observations is None:
            return Episode(self.reward, self.length)
        observations, actions = stack(self._observations), np.stack(self._actions)
        drawn = np.stack(self._frames) if self._frames else None
        frames = observations if _is_frame(self.timestep) else drawn
        return Episode(self.reward, self.length, observations, actions, frames)

    def _draw(self) -> None:
        if self._camera is None:
            return
        camera, self._camera = self._camera, None
        with harmless("no films"):
            self._frames.append(camera(*FILM_SIZE))
            self._camera = camera  # Until it fails.


class EnvironmentLoop:
    """Steps B environments with one actor until enough episodes are over.

    Environments that have no further episode to play rest, so that which random numbers they used
    depends on the number of their episodes alone.

    Attributes:
      seconds: spent so far in the `policy`, in the `environment`, and in writing to `replay`.
    """

    def __init__(
        self,
        environment: BatchedEnvironment,
        actor: Actor,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._environment = environment
        self._actor = actor
        self._should_stop = should_stop
        self.seconds = dict.fromkeys(("policy", "environment", "replay"), 0.0)

    def run(
        self,
        num_episodes: int,
        record: int = 0,
        on_step: Callable[[int], None] = lambda steps: None,
    ) -> list[Episode]:
        """Plays `num_episodes` episodes and returns them in the order they ended.

        Args:
          num_episodes: in all, shared out among the environments as they become free.
          record: observations, actions and frames are kept of that many, the first that start.
          on_step: called after each round with the number of steps since this call began.

        Raises:
          Interrupted: the run is to stop, and nothing of this call is in the replay.
        """
        batch = range(self._environment.batch_size)
        started, steps, episodes = 0, 0, []
        rows: list[_Row | None] = [None for _ in batch]
        last: list[dm_env.TimeStep | None] = [None for _ in batch]
        while len(episodes) < num_episodes:
            self._check_stop(episodes)
            for i in batch:
                if rows[i] is None and started < num_episodes:
                    rows[i] = self._begin(i, started < record)
                    last[i] = rows[i].timestep
                    started += 1
            steps += self._step(rows, last)
            on_step(steps)
            for i in batch:
                if rows[i] is not None and rows[i].timestep.last():
                    episodes.append(rows[i].episode())
                    rows[i] = None
        return episodes

    def _check_stop(self, episodes: list[Episode]) -> None:
        # An episode that is in the replay cannot be taken back: those beside it are then finished.
        if self._should_stop() and not (episodes and self._actor.writes):
            self._actor.abandon()
            raise Interrupted

    def _begin(self, i: int, record: bool) -> _Row:
        """Starts an episode in environment `i`."""
        with self._timed("environment"):
            timestep = self._environment.reset(i)
        with self._timed("replay"):
            self._actor.observe_first(i, timestep)
        return _Row(timestep, record, self._environment.environments[i])

    def _step(self, rows: list[_Row | None], last: list[dm_env.TimeStep | None]) -> int:
        """Acts once in every environment with an episode in progress; returns their number."""
        # Resting rows show the policy something of the right shape; their actions are not used.
        filler = next(timestep for timestep in last if timestep is not None)
        with self._timed("policy"):
            actions = self._actor.select_action([timestep or filler for timestep in last])
        active = [row is not None for row in rows]
        with self._timed("environment"):
            timesteps = self._environment.step(actions, active)
        for i, (row, timestep) in enumerate(zip(rows, timesteps, strict=True)):
            if row is not None:
                row.add(actions[i], timestep)
                last[i] = timestep
        with self._timed("replay"):
            for i in np.flatnonzero(active):
                self._actor.observe(i, actions[i], timesteps[i])
        return sum(active)

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - start


def _is_frame(timestep: dm_env.TimeStep) -> bool:
    observation = timestep.observation
    if not isinstance(observation, np.ndarray) or observation.dtype != np.uint8:
        return False
    return observation.ndim == 3 and observation.shape[-1] == 3


def undone_when_interrupted(
    environment: BatchedEnvironment, actor: Actor, play: Callable[[], T]
) -> T:
    """Plays; if that is interrupted, random states are as if it had not begun."""
    states, calls = environment.random_state(), actor.calls
    try:
        return play()
    except Interrupted:
        environment.set_random_state(states)
        actor.calls = calls
        raise
