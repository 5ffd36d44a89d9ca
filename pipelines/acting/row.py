"""One row of a loop: the episode in progress in one environment."""

from __future__ import annotations

from typing import Any, NamedTuple

import dm_env
import numpy as np

from agents.actor import Step, stack
from pipelines.system.errors import harmless

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
      rewards: float32 [L], or None when not recorded.
    """

    episode_return: float
    length: int
    observations: Any = None
    actions: np.ndarray | None = None
    frames: np.ndarray | None = None
    rewards: np.ndarray | None = None


class Row:
    """The episode in progress in one environment.

    Attributes:
      begun: the environment's random state when it was about to begin.
      timestep: the newest.
      ended_now: whether the newest step ended it.
    """

    def __init__(
        self, begun: Any, timestep: dm_env.TimeStep, record: bool, environment: dm_env.Environment
    ) -> None:
        self.begun, self.timestep = begun, timestep
        self.ended_now = False
        self._actions: list[np.ndarray] = []
        self._extras: list[Any] = []
        self._reward, self._rewards = 0.0, []
        self._observations = [timestep.observation] if record else None
        self._camera = environment.render if record and not _is_frame(timestep) else None
        self._frames: list[np.ndarray] = []
        self._draw()

    @property
    def over(self) -> bool:
        """Whether the newest time step is the episode's last."""
        return self.timestep.last()

    def add(self, step: Step) -> None:
        """Takes what happened."""
        self.timestep = step.timestep
        self._reward += float(step.timestep.reward)
        self._actions.append(step.action)
        self._extras.append(step.extras)
        self.ended_now = step.timestep.last()
        if self._observations is not None:
            self._observations.append(step.timestep.observation)
            self._rewards.append(step.timestep.reward)
        self._draw()

    def episode(self) -> Episode:
        """What has come of it."""
        if self._observations is None:
            return Episode(self._reward, len(self._actions))
        observations, actions = stack(self._observations), np.stack(self._actions)
        drawn = np.stack(self._frames) if self._frames else None
        frames = observations if _is_frame(self.timestep) else drawn
        rewards = np.asarray(self._rewards, np.float32)
        return Episode(self._reward, len(actions), observations, actions, frames, rewards)

    def state(self) -> dict[str, Any]:
        """What was done since: `length` L, `actions` [L, …], and `extras`, nests of [L, …]."""
        return {
            "record": self._observations is not None,
            "length": len(self._actions),
            "actions": np.stack(self._actions) if self._actions else None,
            "extras": stack(self._extras) if self._extras else {},
        }

    def _draw(self) -> None:
        if self._camera is None:
            return
        camera, self._camera = self._camera, None
        with harmless("no films"):
            self._frames.append(camera(*FILM_SIZE))
            self._camera = camera  # Until it fails.


def _is_frame(timestep: dm_env.TimeStep) -> bool:
    observation = timestep.observation
    if not isinstance(observation, np.ndarray) or observation.dtype != np.uint8:
        return False
    return observation.ndim == 3 and observation.shape[-1] == 3
