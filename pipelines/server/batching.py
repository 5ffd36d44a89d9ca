"""Requests that wait for one policy: those that fit together are one call of it.

A thread of its own calls the policy; TensorFlow leaves Python's lock meanwhile, so that the next
requests are read while it computes. What arrives then is the next batch. How long the thread waits
for more is found out by itself: clients that were there when the last batch ended are thought to
come back. They are waited for as long as they keep coming, and no longer than a call takes: two
calls for two halves would take longer than to wait for the second half and call once. So one client
alone never waits, and clients that do not come back cost one pause.
"""

from __future__ import annotations

import asyncio
import collections
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.server.arrays import Limits
from pipelines.server.loaded import ROWS, Arrays, LoadedPolicy
from pipelines.server.refusals import Refusal, Why

# A pause in which nobody comes ends the wait: a share of a call's time, and the least in seconds.
_PAUSE, _LEAST_PAUSE = 0.1, 0.002
# Of what a call takes, the weight of the newest one.
_NEWEST = 0.2


class Call(NamedTuple):
    """What one request wants of the policy.

    Attributes:
      signature: that is called; calls of `step_with_seeds` are joined.
      arrays: inputs with a row for each row.
      shared: inputs that all rows share; only where these are equal are requests joined.
      rows: B.
    """

    signature: str
    arrays: Mapping[str, np.ndarray]
    shared: Mapping[str, np.ndarray]
    rows: int

    def joins(self, other: Call) -> bool:
        """Whether both may be one call."""
        return (
            self.signature == other.signature == ROWS
            and self.shared.keys() == other.shared.keys()
            and all(int(self.shared[name]) == int(other.shared[name]) for name in self.shared)
        )


class _Job(NamedTuple):
    call: Call
    future: asyncio.Future
    loop: asyncio.AbstractEventLoop
    late_at: float


class Batcher:
    """The line before a policy.

    Args:
      policy: that answers; called by the batcher's thread alone.
      limits: of batches, and of what may wait.
      sizes: to which batches are padded, growing; the last is the largest batch.
      on_batch: told of each call's rows, seconds, and what it shared.
    """

    def __init__(
        self,
        policy: LoadedPolicy,
        limits: Limits,
        sizes: Sequence[int],
        on_batch: Callable[[int, float, Mapping[str, np.ndarray]], None] = lambda *_: None,
    ) -> None:
        self._policy, self._limits, self._sizes = policy, limits, list(sizes)
        self._on_batch = on_batch
        self._waiting: collections.deque[_Job] = collections.deque()
        self._rows = 0
        self._wanted, self._expected, self._seconds = 1, 1, 0.0
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._thread.start()

    @property
    def waiting_rows(self) -> int:
        """Rows that wait for their turn."""
        return self._rows

    @property
    def call_seconds(self) -> float:
        """What a call takes, a running mean; 0 before the first."""
        return self._seconds

    def submit(self, call: Call) -> asyncio.Future:
        """The answer to come, a dict of arrays; of an event loop's thread.

        Raises:
          Refusal: too many rows wait already, or the policy is gone.
        """
        loop = asyncio.get_running_loop()
        job = _Job(call, loop.create_future(), loop, time.monotonic() + self._limits.seconds)
        with self._changed:
            if self._closed:
                raise Refusal(Why.UNAVAILABLE, "this version of the model is gone")
            if self._rows + call.rows > self._limits.waiting_rows:
                text = f"{self._rows} rows wait already; expected at most"
                raise Refusal(Why.TOO_MANY, f"{text} {self._limits.waiting_rows}, try again later")
            self._waiting.append(job)
            self._rows += call.rows
            if self._rows >= self._wanted or call.signature != ROWS:
                self._changed.notify()  # Waking the thread for less would cost more than it gains.
        return job.future

    def close(self) -> None:
        """Answers what waits, and ends."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def join(self) -> None:
        """Waits for the end."""
        self._thread.join()

    def _work(self) -> None:
        while jobs := self._next():
            began = time.monotonic()
            answers = self._answers(jobs)
            seconds = time.monotonic() - began
            self._seconds += (_NEWEST if self._seconds else 1.0) * (seconds - self._seconds)
            # Who has an answer now, and who waits already, are expected in the next batch.
            self._expected = sum(job.call.rows for job in jobs) + self._rows
            self._on_batch(sum(job.call.rows for job in jobs), seconds, jobs[0].call.shared)
            by_loop: dict[Any, list[tuple[asyncio.Future, Any]]] = {}
            for job, answer in zip(jobs, answers, strict=True):
                by_loop.setdefault(job.loop, []).append((job.future, answer))
            for loop, settled in by_loop.items():
                try:
                    loop.call_soon_threadsafe(_settle, settled)
                except RuntimeError:
                    continue  # Nobody listens any more: that loop has ended.

    def _next(self) -> list[_Job]:
        """The next batch; empty: the end."""
        with self._changed:
            self._wanted = 1
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return []
            if self._policy.rows_together and not self._closed:
                self._await_others()
            return self._taken()

    def _await_others(self) -> None:
        """Waits for the rows that are expected, while some come in each pause."""
        self._wanted = min(self._expected, self._sizes[-1])
        pause, end = max(_PAUSE * self._seconds, _LEAST_PAUSE), time.monotonic() + self._seconds
        rows = 0
        while rows < self._rows < self._wanted and not self._closed and time.monotonic() < end:
            rows = self._rows
            self._changed.wait_for(lambda: self._rows >= self._wanted or self._closed, pause)

    def _taken(self) -> list[_Job]:
        """The first in line, and behind it whatever joins it and fits."""
        first = self._waiting.popleft()
        jobs, left, rows = [first], collections.deque(), first.call.rows
        joined = self._sizes[-1] if self._policy.rows_together else 0
        while self._waiting and rows < joined:
            job = self._waiting.popleft()
            if first.call.joins(job.call) and rows + job.call.rows <= joined:
                jobs.append(job)
                rows += job.call.rows
            else:
                left.append(job)
        self._waiting.extendleft(reversed(left))
        self._rows -= rows
        return jobs

    def _answers(self, jobs: Sequence[_Job]) -> list[Arrays | Exception]:
        """Each one's answer, or why there is none."""
        now = time.monotonic()
        live = [job for job in jobs if not job.future.done() and job.late_at > now]
        text = f"it was not this request's turn within {self._limits.seconds:g} s"
        answers: dict[int, Any] = {id(job): Refusal(Why.LATE, text) for job in jobs}
        if live:
            try:
                answers |= zip(map(id, live), self._together(live), strict=True)
            except Refusal as error:
                # One of them is wrong; whoever it is, the others are not to suffer.
                alone = live if len(live) > 1 else []
                answers |= {id(job): self._alone(job) for job in alone} or {id(live[0]): error}
            except Exception as error:  # A fault of ours ends the request, never the server.
                answers |= {id(job): error for job in live}
        return [answers[id(job)] for job in jobs]

    def _alone(self, job: _Job) -> Arrays | Exception:
        try:
            return self._together([job])[0]
        except Exception as error:
            return error

    def _together(self, jobs: Sequence[_Job]) -> list[Arrays]:
        """One call of the policy, and each job's part of the answer."""
        first, rows = jobs[0].call, sum(job.call.rows for job in jobs)
        if first.signature != ROWS:
            return [self._policy.call(first.signature, {**first.arrays, **first.shared})]
        size = self._padded(rows)
        arrays = {
            name: _stacked([job.call.arrays[name] for job in jobs], size - rows)
            for name in first.arrays
        }
        outputs = self._called(arrays, first.shared, size)
        if len(jobs) == 1 and size == rows:
            return [outputs]
        parts, start = [], 0
        for job in jobs:
            end = start + job.call.rows
            parts.append({name: value[start:end] for name, value in outputs.items()})
            start = end
        return parts

    def _called(self, arrays: Arrays, shared: Arrays, rows: int) -> Arrays:
        """One call, or, of a request that is larger than any batch may be, several."""
        most = self._sizes[-1] if self._policy.rows_together else rows
        if rows <= most:
            return self._policy.call(ROWS, {**arrays, **shared})
        parts = []
        for start in range(0, rows, most):
            some = {name: x[start : start + most] for name, x in arrays.items()}
            count = len(some["seed"])
            padding = self._padded(count) - count
            some = {name: _stacked([x], padding) for name, x in some.items()}
            answer = self._policy.call(ROWS, {**some, **shared})
            parts.append({name: x[:count] for name, x in answer.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _padded(self, rows: int) -> int:
        """The size that so many rows are called with."""
        if not self._policy.rows_together:
            return rows
        return next((size for size in self._sizes if size >= rows), rows)


def _stacked(parts: Sequence[np.ndarray], padding: int) -> np.ndarray:
    """All rows, and behind them copies of the last one."""
    if padding:
        parts = [*parts, np.repeat(parts[-1][-1:], padding, axis=0)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _settle(settled: Sequence[tuple[asyncio.Future, Any]]) -> None:
    for future, answer in settled:
        if future.done():  # Whoever asked has gone.
            continue
        if isinstance(answer, BaseException):
            future.set_exception(answer)
        else:
            future.set_result(answer)
