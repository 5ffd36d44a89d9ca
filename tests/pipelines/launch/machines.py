"""A distributed run on "machines" that die whole; by hand:

    python -m tests.pipelines.launch.machines

Ray's nodes stand for machines: one with the learner, one with those that act, and the
head, which has none of the run. They share the log directory as machines share a disk.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable

from ray.cluster_utils import Cluster

from tests.pipelines.launch import processes as watched

_MARK = f"MACHINES_{uuid.uuid4().hex[:8]}"
_PATIENCE = 900.0
# Beyond what the dead had come to, so that those in their place have done it.
_FURTHER = 500
_BINDINGS = (
    "Experiment.num_steps = 1000000",
    "Experiment.evaluation_interval = 1000000",
    "Experiment.checkpoint_minutes = 0.1",
    "DQNConfig.updates_per_step = 0.05",
    "Distributed.learner_resources = {'learning': 1}",
    "Distributed.actor_resources = {'acting': 1}",
    "Distributed.evaluator_resources = {'acting': 1}",
)


def main() -> None:
    """Goes from death to death; a line each."""
    os.environ[_MARK] = "1"
    os.environ["RAY_gcs_rpc_server_reconnect_timeout_s"] = "20"  # noqa: SIM112
    logdir = pathlib.Path(tempfile.mkdtemp(prefix="machines-")) / "run"
    quiet = {"include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **quiet})
    machine = lambda what: cluster.add_node(num_cpus=0, resources={what: 9}, **quiet)  # noqa: E731
    learning, acting = machine("learning"), machine("acting")
    run = start(logdir, f"--ray_address={cluster.address}", "--num_actors=2")
    wait(lambda: steps(logdir) > 0, run, "first steps")

    before = steps(logdir)
    cluster.remove_node(acting, allow_graceful=False)
    machine("acting")
    wait(lambda: steps(logdir) > before + _FURTHER, run, "the actors' machine died and came back")

    wait(lambda: list(logdir.glob("checkpoints/*")), run, "there is a checkpoint")
    before = steps(logdir)
    cluster.remove_node(learning, allow_graceful=False)
    machine("learning")
    wait(
        lambda: steps(logdir) > before + _FURTHER,
        run,
        "the learner's machine died, another took up",
    )

    before, died = steps(logdir), time.monotonic()
    for process in watched.processes(_MARK):
        if process.title.endswith("/gcs_server") or process.pid in head_of(cluster):
            watched.kill(process)
    while watched.processes(_MARK, "ray::") and time.monotonic() < died + _PATIENCE:
        time.sleep(1.0)
    print(f"head gone: the last worker ended after {time.monotonic() - died:.0f} s", flush=True)
    print(f"the program ended with {run.wait(timeout=_PATIENCE)}", flush=True)
    cluster.shutdown()

    run = start(logdir, "--num_actors=1")
    wait(lambda: steps(logdir) > before, run, "a new start goes on")
    run.terminate()
    print(f"the program ended with {run.wait(timeout=_PATIENCE)}", flush=True)
    watched.assert_never_backwards(logdir)


def start(logdir: pathlib.Path, *more: str) -> subprocess.Popen:
    """The program, whose output goes beside the log directory."""
    command = [sys.executable, "pipelines/run.py", "--gin_file=gin/dqn_cartpole_small.gin"]
    command += [f"--gin_bindings={binding}" for binding in _BINDINGS]
    with open(f"{logdir}.log", "a") as log:
        return subprocess.Popen(
            [*command, "--launcher=ray", f"--logdir={logdir}", *more], stdout=log, stderr=log
        )


def head_of(cluster: Cluster) -> set[int]:
    """The processes of the head's machine."""
    started = cluster.head_node.all_processes.values()
    return {each.process.pid for those in started for each in those}


def steps(logdir: pathlib.Path) -> int:
    """How far the run is."""
    if not (logdir / "metrics.csv").exists():
        return 0
    return max((int(row["step"]) for row in watched.rows(logdir)), default=0)


def wait(come: Callable[[], object], run: subprocess.Popen, what: str) -> None:
    """Until something has come; says after how long."""
    since = time.monotonic()
    while not come():
        assert run.poll() is None, f"the program ended with {run.returncode} before: {what}"
        assert time.monotonic() - since < _PATIENCE, f"it never came: {what}"
        time.sleep(0.5)
    print(f"{what}: {time.monotonic() - since:.0f} s", flush=True)


if __name__ == "__main__":
    main()
