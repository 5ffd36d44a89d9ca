"""A policy by name: its newest version, and older ones until nobody needs them."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from pipelines.server import logs, messages
from pipelines.server.arrays import Limits
from pipelines.server.batching import Batcher
from pipelines.server.budget import Pace
from pipelines.server.loaded import LoadedPolicy, sizes_of_equal_bits
from pipelines.server.refusals import Refusal, Why
from pipelines.system.errors import first_line

_LOG = logging.getLogger("lookahead.serve")


class Version:
    """A SavedModel that is served, and what waits for it.

    Attributes:
      number: when it was saved, in seconds since 1970.
      state: of TensorFlow Serving's protocol.
      policy, batcher, pace: that answer.
      users: requests in progress; episodes count as well.
      on_end: called when it has ended.
    """

    def __init__(self, number: int, policy: LoadedPolicy, limits: Limits, on_batch: Any) -> None:
        self.number, self.policy, self.pace = number, policy, Pace()
        self.state, self.users = messages.AVAILABLE, 0
        self.on_end: Callable[[], None] = lambda: None
        sizes = powers_of_two(limits.rows)
        if policy.rows_together:
            self.sizes = sizes_of_equal_bits(policy, sizes) or [1]
        else:
            self.sizes = sizes_of_equal_bits(policy, [1])

        def notice(rows, seconds, shared):
            self.pace.notice(seconds, shared)
            on_batch(rows, seconds)

        self.batcher = Batcher(policy, limits, self.sizes, notice)

    def __enter__(self) -> Version:
        self.hold()
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()

    def hold(self) -> None:
        """Somebody uses it from now on, until `release`."""
        self.users += 1

    def release(self) -> None:
        """Somebody needs it no more."""
        self.users -= 1
        self._end_if_idle()

    def retire(self) -> None:
        """A newer one has come: it ends when its last user has gone."""
        self.state = messages.UNLOADING
        self._end_if_idle()

    def _end_if_idle(self) -> None:
        if self.state == messages.UNLOADING and self.users == 0:
            self.end()

    def end(self) -> None:
        """Answers what waits, and nothing more."""
        self.state = messages.END
        self.batcher.close()
        self.on_end()


class Model:
    """What has a name: a directory whose SavedModel may be replaced at any time.

    Args:
      name: in requests.
      directory: of the SavedModel.
      limits: of this server.
      most_versions: that are kept, the newest one included; the oldest goes first, whoever uses it.
      on_batch: told of each call's rows and seconds.
      on_version: told of the number of a version that is served from now on, and of 0 where one
        could not be loaded.
    """

    def __init__(
        self,
        name: str,
        directory: pathlib.Path,
        limits: Limits,
        most_versions: int = 3,
        on_batch: Callable[[int, float], None] = lambda *_: None,
        on_version: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.name, self._directory, self._limits = name, directory, limits
        self._most, self._on_batch, self._on_version = most_versions, on_batch, on_version
        self._seen: tuple[int, ...] | None = None
        self._ended = False
        self.versions: list[Version] = []

    @property
    def logdir(self) -> pathlib.Path:
        """Of the run that saved it."""
        return self._directory.parent.parent

    @property
    def newest(self) -> Version:
        """The one that is served where none is named."""
        return self.versions[-1]

    def version(self, number: int | None = None) -> Version:
        """The version of a number; None: the newest.

        Raises:
          Refusal: it is not there, or not any more.
        """
        if number is None:
            return self.newest
        for version in self.versions:
            if version.number == number:
                return version
        there = ", ".join(str(version.number) for version in self.versions)
        raise Refusal(Why.NOT_FOUND, f"{self.name} has no version {number}; it has {there}")

    def load(self) -> None:
        """Loads the first version.

        Raises:
          UserError: there is none that can be served.
        """
        self._seen = self._mark()
        self._add(self._loaded())

    async def watch(self, seconds: float) -> None:
        """Takes a new SavedModel whenever there is one; looks every so many seconds."""
        while True:
            await asyncio.sleep(seconds)
            await self.refresh()
            if self._ended:
                self._ended = False
                await asyncio.get_running_loop().run_in_executor(None, _give_back)

    async def refresh(self) -> bool:
        """Takes the SavedModel if it is a new one; returns whether it was."""
        mark = self._mark()
        if mark is None or mark == self._seen:  # None: it is being replaced right now.
            return False
        began = time.monotonic()
        try:
            version = await asyncio.get_running_loop().run_in_executor(None, self._loaded)
        except Exception as error:
            # Whatever is wrong with it: the old one serves, and the next look may find another.
            logs.event(_LOG, "not_loaded", model=self.name, reason=first_line(error))
            self._on_version(0)
            return False
        self._seen = mark
        self._add(version)
        seconds = round(time.monotonic() - began, 3)
        logs.event(_LOG, "loaded", model=self.name, version=version.number, seconds=seconds)
        return True

    def close(self) -> None:
        """Ends all versions; what waits is answered."""
        for version in self.versions:
            version.batcher.close()

    def _loaded(self) -> Version:
        mark = self._mark()
        policy = LoadedPolicy(self._directory)
        number = int(mark[1] // 10**9) if mark else int(time.time())
        return Version(number, policy, self._limits, self._on_batch)

    def _add(self, version: Version) -> None:
        if self.versions and version.number <= self.newest.number:
            version.number = self.newest.number + 1
        version.on_end = lambda: self._forget(version)
        self.versions.append(version)
        for old in self.versions[:-1]:
            old.retire()
        for old in self.versions[: -self._most]:
            old.end()
        self._on_version(version.number)

    def _forget(self, version: Version) -> None:
        self.versions.remove(version)
        self._ended = True

    def _mark(self) -> tuple[int, ...] | None:
        """What changes with every SavedModel; None: there is none."""
        try:
            found = (self._directory / "saved_model.pb").stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def powers_of_two(most: int) -> Sequence[int]:
    """1, 2, 4, … and `most` itself."""
    return [*(1 << i for i in range((most - 1).bit_length())), most]


def _give_back() -> None:
    """Gives the machine the memory back that an ended version had."""
    gc.collect()  # TensorFlow's functions hold each other, and Python looks for such seldom.
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; others keep less.
    if trim is not None:
        trim(0)
