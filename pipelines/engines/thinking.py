"""A search in the background that goes deeper and deeper, and that answers the moment it has to."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

# A search that is stopped before its first result waits so long for it, in seconds.
_GRACE = 0.03


class Limits(NamedTuple):
    """When a search ends, in seconds since it began.

    Attributes:
      soft: no search begins that would end later.
      hard: then it answers with what it has.
      until_stopped: it answers no earlier than it is told to.
    """

    soft: float = math.inf
    hard: float = math.inf
    until_stopped: bool = False


class Thinking(Generic[T]):
    """Searches of growing size, each from the beginning; the last whole one counts.

    A small one comes first. One that is late is given up: where it searches in slices it ends with
    the next of them, in its own thread, and nobody hears of it.

    Args:
      deepen: simulations, and whether to go on → result; None: it was given up.
      counts: simulations of the searches, growing.
      limits: of the time.
      on_found: called with each result, before `on_answer`.
      on_answer: called once, in another thread, with the last result, or None: there was no time
        for any; and with `error`.

    Attributes:
      error: what has ended the searches; None: nothing.
    """

    def __init__(
        self,
        deepen: Callable[[int, Callable[[], bool]], T | None],
        counts: Iterable[int],
        limits: Limits,
        on_found: Callable[[T], None] = lambda found: None,
        on_answer: Callable[[T | None, Exception | None], None] = lambda found, error: None,
    ) -> None:
        self.error: Exception | None = None
        self._deepen, self._counts = deepen, counts
        self._on_found, self._on_answer = on_found, on_answer
        self._limits, self._began = limits, time.monotonic()
        self._changed = threading.Condition()
        self._latest: T | None = None
        self._done = self._stopped = self._answered = False
        self._stopped_at = math.inf
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()
        self._answerer = threading.Thread(target=self._answer, daemon=True)
        self._answerer.start()

    def stop(self) -> None:
        """Has it answered; returns when it has."""
        with self._changed:
            self._stopped, self._stopped_at = True, min(self._stopped_at, time.monotonic())
            self._changed.notify_all()
        self.wait()

    def limit(self, limits: Limits) -> None:
        """Changes the limits; they count from now."""
        with self._changed:
            self._limits, self._began = limits, time.monotonic()
            self._changed.notify_all()

    def wait(self) -> T | None:
        """Returns when it has answered, with the answer."""
        self._answerer.join()
        return self._latest

    def close(self) -> None:
        """Stops, and returns when no search runs any more."""
        self.stop()
        self._worker.join()

    def _work(self) -> None:
        try:
            done: list[tuple[int, float]] = []
            for count in self._counts:
                if self._too_long(_expected_seconds(count, done)):
                    break
                start = time.monotonic()
                found = self._deepen(count, self._going_on)
                if found is None:
                    break
                done.append((count, time.monotonic() - start))
                self._publish(found)
        except Exception as error:  # Of whatever kind; whoever waits has to hear of it.
            self.error = error
        with self._changed:
            self._done = True
            self._changed.notify_all()

    def _going_on(self) -> bool:
        return not (self._answered or (self._stopped and self._latest is not None))

    def _too_long(self, seconds: float) -> bool:
        """Whether a search of so many seconds is not worth beginning."""
        with self._changed:
            late = time.monotonic() - self._began + seconds > self._limits.soft
            return self._answered or self._stopped or (late and self._latest is not None)

    def _publish(self, found: T) -> None:
        with self._changed:
            if not self._answered:
                self._latest = found
                self._on_found(found)
                self._changed.notify_all()

    def _answer(self) -> None:
        with self._changed:
            while (seconds := self._seconds_left()) > 0:
                self._changed.wait(None if seconds == math.inf else seconds)
            self._answered = True
            self._on_answer(self._latest, self.error)

    def _seconds_left(self) -> float:
        """Until it has to answer, as far as is known."""
        now, limits = time.monotonic(), self._limits
        if self._stopped:
            ready = self._latest is not None or self._done
            return 0.0 if ready else self._stopped_at + _GRACE - now
        if limits.until_stopped:
            return math.inf
        if self._done:
            return 0.0
        return self._began + limits.hard - now


def _expected_seconds(count: int, done: Sequence[tuple[int, float]]) -> float:
    """Of a search of so many simulations, by the sizes and seconds of those before.

    Sizes cost what the last two differ by; of one alone it is not known what was its overhead.
    """
    if len(done) < 2:
        return sum(seconds for _, seconds in done)
    (less, before), (more, last) = done[-2:]
    return last + max(last - before, 0.0) * (count - more) / (more - less)


def growing(most: int) -> list[int]:
    """1, 4, 16 …, `most`: all of them together take a third longer than the last one."""
    counts = [most]
    while counts[-1] > 4:
        counts.append(counts[-1] // 4)
    return [1, *reversed(counts)] if counts[-1] > 1 else counts[::-1]
