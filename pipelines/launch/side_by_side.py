"""Runs of the trainer side by side, each a process on cores of its own.

    jobs ──► free cores ──► run.py, its output in a file ──► its last line

The scheduler of a cluster is another matter: here one machine trains several seeds, as many at a
time as there are cores, and whatever stops the whole stops each run as Ctrl-C stops one: it saves.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

RUN = pathlib.Path(__file__).resolve().parents[1] / "run.py"


class Job(NamedTuple):
    """A run.

    Attributes:
      name: for people.
      arguments: of the program.
      output: file that gets what it prints, appended.
    """

    name: str
    arguments: list[str]
    output: pathlib.Path


class Ended(NamedTuple):
    """How a job went.

    Attributes:
      job: which.
      status: 0, done or stopped and saved.
      complaint: the last line that it printed, where the status is another.
    """

    job: Job
    status: int
    complaint: str


class SideBySide:
    """Works through jobs, so many at a time.

    Args:
      jobs: in the order in which they begin.
      at_a_time: how many run at once, each on its share of the cores this process may use.
      program: in Python, that does a job.
    """

    def __init__(
        self, jobs: Sequence[Job], at_a_time: int, program: str | os.PathLike[str] = RUN
    ) -> None:
        self._waiting, self._program = list(jobs), str(program)
        self._places = shares(sorted(os.sched_getaffinity(0)), at_a_time)
        self._running: dict[int, tuple[Job, subprocess.Popen, list[int]]] = {}
        self._stopped = False

    def run(self, began: Callable[[Job], None], ended: Callable[[Ended], None]) -> bool:
        """Returns whether all jobs had their turn; False: `stop` came before."""
        while self._running or (self._waiting and not self._stopped):
            while self._places and self._waiting and not self._stopped:
                job = self._waiting.pop(0)
                self._begin(job, self._places.pop(0))
                began(job)
            ended(self._await())
        return not self._stopped

    def stop(self) -> None:
        """Begins no more, and asks those that run to save and end; a second time, to end at once.

        May be called by a signal's handler.
        """
        self._stopped = True
        for _, process, _ in list(self._running.values()):
            os.kill(process.pid, signal.SIGTERM)  # `Popen` would reap one that has ended.

    def _begin(self, job: Job, cores: list[int]) -> None:
        threads = {name: str(len(cores)) for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")}
        with open(job.output, "ab") as output:
            # A session of its own, so that a terminal's Ctrl-C comes once, by `stop`.
            process = subprocess.Popen(
                [sys.executable, self._program, *job.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**threads, **os.environ},
                start_new_session=True,
            )
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(process.pid, cores)
        self._running[process.pid] = (job, process, cores)
        if self._stopped:  # The signal came in between.
            os.kill(process.pid, signal.SIGTERM)

    def _await(self) -> Ended:
        """Waits until one has ended."""
        pid = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT).si_pid
        job, process, cores = self._running.pop(pid)
        status = process.wait()
        self._places.append(cores)
        lines = job.output.read_text(errors="replace").strip().splitlines() if status else []
        return Ended(job, status, lines[-1] if lines else "")


def shares(cores: Sequence[int], count: int) -> list[list[int]]:
    """Divides cores among `count` places; where there are fewer cores, places share one."""
    if count >= len(cores):
        return [[cores[place % len(cores)]] for place in range(count)]
    return [list(cores[place::count]) for place in range(count)]
