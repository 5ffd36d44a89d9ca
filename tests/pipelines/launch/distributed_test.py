"""Protects distributed runs: processes that die are replaced, and what comes of it is a run's.

One run for all, since Ray alone takes twenty seconds to start.
"""

from __future__ import annotations

import json
import pathlib
import signal
import threading
import time

import gin
import pytest

from pipelines.configuration import experiment
from pipelines.launch.distributed.driver import DistributedRun
from pipelines.launch.distributed.learner_run import LearnerRun
from pipelines.launch.distributed.messages import Ended, Evaluated, Task
from pipelines.launch.local import LocalRun
from pipelines.launch.run_state import RunState
from pipelines.logdir.checkpointing import find_latest
from pipelines.system.errors import UserError
from tests.pipelines.launch.processes import assert_never_backwards, kill, processes, rows

SMALL = (
    "Experiment.num_steps = 12000",
    "Experiment.num_environments = 2",
    "Experiment.evaluation_interval = 8000",
    "Experiment.evaluation_episodes = 2",
    "Experiment.evaluation_videos = 0",
    "Experiment.checkpoint_minutes = 0.05",
    "DQNConfig.seed_steps = 200",
    "DQNConfig.updates_per_step = 0.1",
    "DQNConfig.rollout = 16",
)


def described(*bindings: str) -> experiment.Experiment:
    return experiment.parse(["gin/dqn_cartpole_small.gin"], [*SMALL, *bindings])


class Killer(threading.Thread):
    """Kills a collector, then the learner, each once there is a checkpoint to go on from.

    Before, it tells all of Ray's processes to end, as `timeout` and systemd do.
    """

    def __init__(self, logdir: pathlib.Path, mark: str) -> None:
        super().__init__(daemon=True)
        self._logdir, self._mark, self.killed, self.told = logdir, mark, [], 0

    def run(self) -> None:
        while find_latest(self._logdir) is None:
            time.sleep(0.05)
        for process in processes(self._mark, ""):
            kill(process, signal.SIGTERM)
            self.told += 1
        for title in ("ray::CollectorWorker", "ray::LearnerWorker"):
            while not (there := processes(self._mark, title)):
                time.sleep(0.01)
            kill(there[0])
            self.killed.append(title)
            time.sleep(1.0)


def test_killed_processes_are_replaced_and_the_run_comes_to_its_end(tmp_path, capfd, monkeypatch):
    logdir, mark = tmp_path / "run", f"MADE_BY={tmp_path}"
    monkeypatch.setenv(*mark.split("="))
    run = DistributedRun(described(), logdir, 3, gin.config_str(), num_actors=2, ray_address=None)
    killer = Killer(logdir, mark)
    killer.start()
    assert not run.finished
    assert run.run()
    assert len(killer.killed) == 2 and killer.told > 5
    out = capfd.readouterr().out
    assert "learner is replaced: it died" in out
    assert not processes(mark, "ray::"), "nothing is left behind"

    assert_never_backwards(logdir)
    last = rows(logdir)[-1]
    assert int(last["step"]) >= 12000
    assert int(last["updates"]) == int(0.1 * (int(last["step"]) - 200))
    summary = json.loads((logdir / "summary.json").read_text())
    assert summary["evaluation"]["episodes"] == 2
    for name in ("best", "last"):
        assert (logdir / "policy" / name / "saved_model.pb").is_file()

    # What many processes began one goes on with.
    longer = described("Experiment.num_steps = 12100")
    alone = LocalRun(longer, logdir, 3, gin.operative_config_str)
    assert alone.counters["step"] == int(last["step"])
    assert alone.run()
    assert alone.counters["step"] >= 12100


def test_an_evaluation_is_due_until_it_is_taken_and_its_policy_exported_before():
    run = LearnerRun.__new__(LearnerRun)
    run._lock, run._state, run._result = threading.RLock(), RunState(), None
    run._task = Task(position=100, updates=7, variables=[])
    assert run.task() is run.task() is run._task, "whoever dies leaves it to the next one"

    better, stale = Evaluated((100, 7), [3.0], {}), Evaluated((50, 7), [9.0], {})
    assert run.is_best(better) and run.is_best(better), "it counts once it is taken"
    run.evaluated(stale)
    assert run.task() is run._task, "another task's is none of this one's"
    run.evaluated(better)
    assert run.task() is None, "nobody plays it again"
    run._state.record_evaluation({"mean": 4.0}, 100)
    assert not run.is_best(better)


class Scripted(DistributedRun):
    """A supervisor whose processes end as a list says."""

    def __init__(self, ends: list[dict[str, Ended | Exception]], workers: list[str]) -> None:
        self._ends, self.begun = ends, []
        self._retired, self._running = set(), dict.fromkeys(workers)

    def _ended(self):
        found = self._ends.pop(0)
        for name in found:
            self._running.pop(name)
        return found

    def _should_stop(self):
        return False

    def _show(self):
        pass

    def _replace(self, name, how):
        self._renew(name)

    def _place(self, name):
        pass

    _place_learner = _start_learner = lambda self: None

    def _begin(self, name):
        assert name not in self._running, "nobody is there twice"
        self._running[name] = None
        self.begun.append(name)


def test_a_learner_that_goes_on_from_a_checkpoint_gets_back_those_who_had_nothing_left_to_do():
    over, died = Ended(True), RuntimeError("killed")
    ends = [
        {"actor-0": over},
        {"actor-1": over, "learner": died, "evaluator": died},
        {"actor-0": over, "actor-1": over, "evaluator": over},
        {"learner": over},
    ]
    run = Scripted(ends, ["learner", "evaluator", "actor-0", "actor-1"])
    assert run._supervise() == over
    assert sorted(run.begun) == ["actor-0", "actor-1", "evaluator", "learner"]


def learner_run(found: experiment.Experiment, logdir: pathlib.Path) -> LearnerRun:
    settings = experiment.distributed_settings()
    return LearnerRun(found, logdir, 0, gin.config_str, settings=settings, num_actors=2)


def test_a_queue_that_is_full_before_an_update_is_due_is_refused(tmp_path):
    setting = "A2CConfig.queue_capacity = 15"
    found = experiment.parse(["gin/a2c_cartpole_small.gin"], [setting])
    reason = r"has room for 15 rollouts \(queue_capacity\), but an update takes 16"
    with pytest.raises(UserError, match=reason):
        learner_run(found, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("simulator_cem", "simulator_cem only plans and has no learner"),
    ],
)
def test_an_agent_that_cannot_be_distributed_is_refused(tmp_path, file, reason):
    found = experiment.parse([f"gin/{file}.gin"])
    with pytest.raises(UserError, match=f"--launcher=ray: {reason}"):
        learner_run(found, tmp_path / "run")
    assert not (tmp_path / "run").exists()
