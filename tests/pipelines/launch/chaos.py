"""Kills a random process of a distributed run again and again; by hand:

    python -m tests.pipelines.launch.chaos --minutes=60

Learning must go on without a person: counters never run backwards, and neither processes, memory,
shared memory nor files may grow. A killed driver, or Ray's own process of this machine, ends the
run; the same command then goes on from the last checkpoint, as a service manager would have it.
"""

from __future__ import annotations

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid

from absl import app, flags

from tests.pipelines.launch import processes as watched

_MINUTES = flags.DEFINE_float("minutes", 60.0, "How long, after the first steps.")
_EVERY = flags.DEFINE_float(
    "every", 30.0, "Seconds between two kills; longer where nothing has been done since the last."
)
_ACTORS = flags.DEFINE_integer("num_actors", 2, "K.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the choice of processes, and of the run.")
_LOGDIR = flags.DEFINE_string("logdir", None, "Of the run; by default a temporary folder.")
_RAY = flags.DEFINE_bool("ray", False, "Kills Ray's process of this machine now and then, too.")
_GIN_FILE = flags.DEFINE_string("gin_file", "gin/dqn_cartpole_small.gin", "What runs.")
_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings",
    ["Experiment.num_steps = 1000000", "Experiment.checkpoint_minutes = 0.25"],
    "Over the file's.",
)

_WORKERS = ("ray::CollectorWorker", "ray::EvaluatorWorker", "ray::LearnerWorker")
# A machine under load takes minutes to start Ray, in seconds.
_PATIENCE = 900.0


class Chaos:
    """A run, what was killed of it, and what it took."""

    def __init__(self, logdir: pathlib.Path) -> None:
        self._mark = f"CHAOS_{uuid.uuid4().hex[:8]}"
        self._logdir, self._random = logdir, random.Random(_SEED.value)
        self.kills: dict[str, int] = {}
        self.starts = 0
        self._start()

    def _start(self) -> None:
        command = [sys.executable, "pipelines/run.py", f"--gin_file={_GIN_FILE.value}"]
        command += [f"--gin_bindings={binding}" for binding in _BINDINGS.value]
        command += ["--launcher=ray", f"--num_actors={_ACTORS.value}", f"--seed={_SEED.value}"]
        environment = {**os.environ, self._mark: "1"}
        with open(f"{self._logdir}.log", "a") as log:
            self._run = subprocess.Popen(
                [*command, f"--logdir={self._logdir}"], env=environment, stdout=log, stderr=log
            )
        self.starts += 1

    def wait_for_steps(self) -> None:
        """Until collectors have brought some."""
        deadline = time.monotonic() + _PATIENCE
        while not (self._logdir / "metrics.csv").exists() or not watched.rows(self._logdir):
            assert self._run.poll() is None, f"the run has ended: see {self._logdir}.log"
            assert time.monotonic() < deadline, "no steps"
            time.sleep(1.0)

    def kill_one(self) -> str:
        """A worker, or Ray itself, where that is asked for."""
        there = watched.processes(self._mark, "ray::")
        there = [process for process in there if process.title.startswith(_WORKERS)]
        if _RAY.value and self._random.random() < 0.2:
            there = [p for p in watched.processes(self._mark) if p.title.endswith("/raylet")]
        if not there:
            return "nobody"
        victim = self._random.choice(there)
        watched.kill(victim)
        kind = victim.title.removeprefix("ray::").split(".")[0].rpartition("/")[2]
        self.kills[kind] = self.kills.get(kind, 0) + 1
        return kind

    def wait_for_work(self) -> None:
        """Until something has been done since now; starts the run again where it has ended.

        Whoever is killed three times as it starts ends the run, and rightly so.
        """
        table, deadline = self._logdir / "metrics.csv", time.monotonic() + _PATIENCE
        before = table.stat().st_mtime_ns
        while table.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline, "nothing is done any more"
            time.sleep(1.0)
            if self._run.poll() is not None:
                assert self._run.returncode != 0, "the run came to its end"
                self._start()

    def look(self, killed: str) -> dict[str, float | str]:
        """What there is of it now."""
        there = watched.processes(self._mark)
        found = watched.rows(self._logdir)[-1]
        return {
            "killed": killed,
            **{name: int(found[name]) for name in watched.COUNTERS},
            "processes": len(there),
            "process_megabytes": round(sum(p.megabytes for p in there)),
            "shared_megabytes": round(watched.megabytes(pathlib.Path("/dev/shm"))),
            "logdir_megabytes": round(watched.megabytes(self._logdir), 1),
        }

    def stop(self) -> None:
        """Asks it to save and end, and checks that it leaves nothing."""
        self._run.send_signal(signal.SIGTERM)
        status = self._run.wait(timeout=_PATIENCE)
        time.sleep(2.0)
        left = watched.processes(self._mark)
        assert status == 0, f"ended with {status}: see {self._logdir}.log"
        assert not left, f"left behind: {left}"


def main(_: list[str]) -> None:
    """Runs, kills, and prints a line of JSON each time."""
    logdir = pathlib.Path(_LOGDIR.value or tempfile.mkdtemp(prefix="chaos-") + "/run")
    before = watched.megabytes(pathlib.Path("/dev/shm"))
    chaos = Chaos(logdir)
    chaos.wait_for_steps()
    end = time.monotonic() + 60.0 * _MINUTES.value
    seen = [chaos.look("")]
    while time.monotonic() < end:
        chaos.wait_for_work()
        seen.append(chaos.look(chaos.kill_one()))
        print(json.dumps(seen[-1]), flush=True)
        time.sleep(_EVERY.value)
    chaos.wait_for_work()
    time.sleep(2 * _EVERY.value)  # All are back.
    seen.append(chaos.look(""))
    chaos.stop()
    watched.assert_never_backwards(logdir)
    assert seen[-1]["updates"] > seen[0]["updates"], "nothing was learned"
    assert seen[-1]["processes"] <= max(look["processes"] for look in seen[:2]) + 2
    after = watched.megabytes(pathlib.Path("/dev/shm"))
    assert after <= before + 1, f"/dev/shm held {before:.0f} MB, and now {after:.0f}"
    print(json.dumps({"kills": chaos.kills, "starts": chaos.starts, "logdir": str(logdir)}))


if __name__ == "__main__":
    app.run(main)
