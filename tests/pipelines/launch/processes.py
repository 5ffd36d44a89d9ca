"""A distributed run from outside: its processes, what they take, what its log directory says."""

from __future__ import annotations

import contextlib
import csv
import os
import pathlib
import signal
from typing import NamedTuple

COUNTERS = ("step", "episodes", "updates")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Process(NamedTuple):
    """One of a run's; `title` is what Ray calls it, as `ray::CollectorWorker.run`."""

    pid: int
    title: str
    megabytes: float


def processes(mark: str, title: str = "") -> list[Process]:
    """Whose title begins so, and whose environment has the mark: others may run Ray too."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            titled = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[0]
            if titled.startswith(title) and mark.encode() in (folder / "environ").read_bytes():
                pages = int((folder / "statm").read_text().split()[1])
                found.append(Process(int(folder.name), titled.strip(), pages * _PAGE / 2**20))
    return found


def kill(process: Process, number: int = signal.SIGKILL) -> None:
    """Sends it the signal, whether it is still there or not."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)


def rows(logdir: pathlib.Path) -> list[dict[str, str]]:
    """Of the run's table of metrics."""
    with open(logdir / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def assert_never_backwards(logdir: pathlib.Path) -> None:
    """Checks the counters in the table of metrics."""
    for counter in COUNTERS:
        values = [int(row[counter]) for row in rows(logdir)]
        assert values == sorted(values), f"{counter} runs backwards"


def megabytes(folder: pathlib.Path) -> float:
    """Of all files in it; what others remove meanwhile counts as nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total / 2**20
