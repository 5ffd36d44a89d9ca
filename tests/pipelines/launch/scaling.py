"""How many steps a second 1, 2, 4 … collectors make where environments wait; by hand:

    python -m tests.pipelines.launch.scaling --num_actors=8 --pause=0.02

One run: all but so many collectors are stopped (SIGSTOP) while the others are counted. Beside what
is measured stands what `capacity.predict` makes of a step's pause and of the processor's time.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence

from absl import app, flags

from pipelines.launch.distributed.capacity import Machines, System, predict
from tests.pipelines.launch import processes as watched

_ACTORS = flags.DEFINE_integer("num_actors", 8, "The most.")
_PAUSE = flags.DEFINE_float("pause", 0.02, "Of a step, in seconds.")
_SECONDS = flags.DEFINE_float("seconds", 30.0, "Counted for each number.")
_SETTLE = flags.DEFINE_float("settle", 30.0, "From the last one's start on, in seconds.")
_UPDATES_PER_STEP, _ROLLOUT, _PATIENCE = 0.02, 16, 1800.0


def main(_: list[str]) -> None:
    """Prints a line for each number of collectors."""
    mark, logdir = f"SCALING_{uuid.uuid4().hex[:8]}", tempfile.mkdtemp(prefix="scaling-") + "/run"
    run = subprocess.Popen(_command(logdir), env={**os.environ, mark: "1"})
    logdir, deadline = pathlib.Path(logdir), time.monotonic() + _PATIENCE
    while len(collecting(logdir)) < _ACTORS.value:
        assert run.poll() is None and time.monotonic() < deadline, "not all collect"
        time.sleep(1.0)
    time.sleep(_SETTLE.value)
    collectors = watched.processes(mark, "ray::CollectorWorker")
    (learner,) = watched.processes(mark, "ray::LearnerWorker")
    count, first = 1, None
    while count <= _ACTORS.value:
        rate, acting, learning = measure(logdir, collectors[:count], collectors[count:], learner)
        first = first or rate
        system = System(
            actor_steps=1 / (_PAUSE.value + acting),
            updates=1 / learning,
            updates_per_step=1.0,  # All of the learner's time is counted by steps here.
            written_bytes=24.0,
            read_bytes=0.0,
            variable_bytes=0.0,
        )
        cores = len(os.sched_getaffinity(0))
        expected = predict(system, Machines(cores=cores, actor_seconds=acting), count)
        print(
            f"{count} collectors: {rate:.1f} steps a second, {rate / first:.2f} times one's; "
            f"predicted {expected.steps:.1f} ({expected.limit}); processor a step: collector "
            f"{1e3 * acting:.1f} ms, learner {1e3 * learning:.1f} ms",
            flush=True,
        )
        count *= 2
    run.terminate()
    run.wait(timeout=_PATIENCE)


def _command(logdir: str) -> list[str]:
    bindings = (
        "Experiment.environment = @waiting",
        "Experiment.evaluation_environment = @classic_control",
        "waiting.environment = @classic_control",
        f"waiting.seconds = {_PAUSE.value}",
        "Experiment.num_steps = 20000",
        "Experiment.num_environments = 1",
        "Experiment.evaluation_interval = 1000000",
        f"DQNConfig.updates_per_step = {_UPDATES_PER_STEP}",
        f"DQNConfig.rollout = {_ROLLOUT}",
        "DQNConfig.seed_steps = 100",
    )
    command = [sys.executable, "pipelines/run.py", "--gin_file=gin/dqn_cartpole_small.gin"]
    command += [f"--gin_bindings={binding}" for binding in bindings]
    return [*command, "--launcher=ray", f"--num_actors={_ACTORS.value}", f"--logdir={logdir}"]


def collecting(logdir: pathlib.Path) -> list[pathlib.Path]:
    """Logs of the collectors that have begun to."""
    return list(logdir.glob("workers/actor-*.log"))


def measure(
    logdir: pathlib.Path,
    going: Sequence[watched.Process],
    stopped: Sequence[watched.Process],
    learner: watched.Process,
) -> tuple[float, float, float]:
    """Steps a second, and the processor's seconds a step of a collector and of the learner."""
    for process in (*going, *stopped):
        os.kill(process.pid, signal.SIGCONT if process in going else signal.SIGSTOP)
    time.sleep(4 * _ROLLOUT * _PAUSE.value)  # Rounds that were nearly over are.
    before, acted, learned = _position(logdir), _used(going), _used([learner])
    time.sleep(_SECONDS.value)
    after = _position(logdir)
    steps, seconds = after[0] - before[0], after[1] - before[1]
    return steps / seconds, (_used(going) - acted) / steps, (_used([learner]) - learned) / steps


def _position(logdir: pathlib.Path) -> tuple[int, float]:
    """Steps and seconds of the newest row."""
    row = watched.rows(logdir)[-1]
    return int(row["step"]), float(row["wall_clock"])


def _used(processes: Sequence[watched.Process]) -> float:
    """The processor's seconds so far."""
    fields = [pathlib.Path(f"/proc/{p.pid}/stat").read_text().rpartition(")")[2] for p in processes]
    ticks = [sum(map(int, field.split()[11:13])) for field in fields]
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    app.run(main)
