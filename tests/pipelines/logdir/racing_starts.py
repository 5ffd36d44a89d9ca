"""Lets several starts claim one missing log directory at once, again and again.

Usage: python -m tests.pipelines.logdir.racing_starts FOLDER FAILING ROUNDS
Each start is a process; the first FAILING of them fail once they hold the directory, the others
keep it. Prints for each round how its starts ended, a letter each: W won, F failed, R refused, X
something else.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import traceback

from pipelines.logdir import log_directory
from pipelines.system.errors import UserError

STARTS = 4
IDENTITY = {"agent": "planet", "environment": "dm_control/cartpole_balance", "seed": 1}


def make_files(logdir: pathlib.Path) -> None:
    """What a start writes."""
    for name in ("config.gin", "summary.json", "metrics.csv", "events.out.tfevents.1.host.0"):
        (logdir / name).write_text("{}")
    for name in ("checkpoints/000000000001", "replay", "policy/best", "videos"):
        (logdir / name).mkdir(parents=True)
        (logdir / name / "file").write_text("")


def start(logdir: pathlib.Path, fails: bool) -> tuple[str, contextlib.ExitStack]:
    """How a start ended, and what it holds."""
    held = contextlib.ExitStack()
    try:
        claimed = held.enter_context(log_directory.claim(logdir, IDENTITY))
        make_files(claimed.path)
    except UserError:
        return "R", held
    if fails:
        held.close()
        return "F", held
    claimed.keep()
    held.callback(claimed.check)  # Still there when all others have ended.
    return "W", held


def race(logdir: pathlib.Path, failing: int) -> str:
    (go, release), (answers, answer), (end, all_ended) = os.pipe(), os.pipe(), os.pipe()
    children = []
    for i in range(STARTS):
        if (pid := os.fork()) == 0:
            letter = b"X"
            try:
                os.close(all_ended)
                os.read(go, 1)
                ended, held = start(logdir, fails=i < failing)
                os.write(answer, ended.encode())
                os.read(end, 1)  # Until the others have ended.
                held.close()
                letter = b""
            except BaseException:
                traceback.print_exc()
            finally:
                os.write(answer, letter)
                os._exit(0)
        children.append(pid)
    os.write(release, b"g" * STARTS)
    letters = "".join(os.read(answers, 1).decode() for _ in children)
    os.close(all_ended)
    for pid in children:
        os.waitpid(pid, 0)
    os.close(answer)
    letters += os.read(answers, STARTS).decode()
    for descriptor in (go, release, answers, end):
        os.close(descriptor)
    return letters


def main(folder: str, failing: str, rounds: str) -> None:
    for i in range(int(rounds)):
        print(race(pathlib.Path(folder, str(i), "runs", "log"), int(failing)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
