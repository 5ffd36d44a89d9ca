"""Episodes whose state stays on the server: what a client carries is an id."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.server import messages
from pipelines.server.loaded import Arrays
from pipelines.server.models import Version
from pipelines.server.refusals import Refusal, Why

# Time between looks for episodes that nobody goes on with.
_LOOK = 1.0


class Episode:
    """One of them, at some step.

    Attributes:
      version: that plays it from its beginning to its end: a belief is its network's own.
      state: one row [1, …] of each input.
      seed: its steps' are [seed, 0], [seed, 1], …
      steps: so far.
      busy: a step waits for the one before.
    """

    def __init__(self, version: Version, seed: int) -> None:
        self.version, self.seed, self.steps = version, seed, 0
        self.state: Arrays = dict(version.policy.start)
        self.used_at = time.monotonic()
        self.busy = asyncio.Lock()

    def step_seed(self) -> np.ndarray:
        """Of the next step, int32 [1, 2]."""
        return np.array([[self.seed, self.steps]], np.int32)


class Episodes:
    """Those of one model.

    Args:
      most: that go on at one time.
      idle_seconds: after which one that nobody goes on with is over.
      clock: seconds.
    """

    def __init__(
        self, most: int, idle_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._idle, self._clock = most, idle_seconds, clock
        self._there: dict[str, Episode] = {}

    def __len__(self) -> int:
        return len(self._there)

    def begin(self, version: Version, seed: int | None) -> tuple[str, Episode]:
        """A new one, and its id; without a seed one is drawn.

        Raises:
          Refusal: there are as many as may be.
        """
        self.expire()
        if len(self._there) >= self._most:
            raise Refusal(
                Why.TOO_MANY,
                f"{self._most} episodes go on already; end one, or wait until one is over",
            )
        name = secrets.token_urlsafe(16)
        episode = Episode(version, secrets.randbits(31) if seed is None else seed)
        episode.used_at = self._clock()
        version.hold()
        self._there[name] = episode
        return name, episode

    def get(self, name: str) -> Episode:
        """The one of an id, which is used from now on.

        Raises:
          Refusal: there is none, or its version is gone.
        """
        episode = self._there.get(name)
        if episode is None:
            raise Refusal(Why.NOT_FOUND, "there is no such episode; it has ended or expired")
        if episode.version.state == messages.END:
            self.end(name)
            raise Refusal(Why.GONE, "the version that played this episode is gone; begin another")
        episode.used_at = self._clock()
        return episode

    def end(self, name: str) -> None:
        """Ends it.

        Raises:
          Refusal: there is none.
        """
        episode = self._there.pop(name, None)
        if episode is None:
            raise Refusal(Why.NOT_FOUND, "there is no such episode; it has ended or expired")
        episode.version.release()

    def expire(self) -> None:
        """Ends those that were not used for too long."""
        before = self._clock() - self._idle
        over = [n for n, e in self._there.items() if e.used_at < before and not e.busy.locked()]
        for name in over:
            self.end(name)

    async def watch(self) -> Any:
        """Expires them as time goes by."""
        while True:
            await asyncio.sleep(_LOOK)
            self.expire()
