"""Protects runs without learning: episodes are counted, filmed, saved and resumed like others."""

from __future__ import annotations

import csv
import itertools
import json
import pathlib
from collections.abc import Callable

import gin
import numpy as np
import pytest

from pipelines.configuration import experiment
from pipelines.environments.control_suite import ControlSuite
from pipelines.launch.local import LocalRun
from pipelines.system import errors
from pipelines.system.errors import UserError

TINY = str(pathlib.Path(__file__).parents[1] / "tiny_simulator_cem.gin")


def make(logdir, *bindings: str, stop=lambda: False) -> LocalRun:
    described = experiment.parse([TINY], bindings)
    return LocalRun(described, logdir, 3, gin.operative_config_str, stop)


def returns(logdir) -> list[float]:
    return json.loads((logdir / "summary.json").read_text())["returns"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    logdir = tmp_path_factory.mktemp("run") / "log"
    run = make(logdir)
    assert run.run() and run.finished
    return logdir


def test_what_cannot_be_drawn_costs_no_run(uninterrupted, tmp_path, monkeypatch, capfd):
    def fail(environment, height, width):
        raise RuntimeError("no context")

    monkeypatch.setattr(errors, "_warned", set())
    monkeypatch.setattr(ControlSuite, "render", fail)
    assert make(tmp_path).run()
    assert returns(tmp_path) == returns(uninterrupted)
    assert not (tmp_path / "videos").exists()
    line = "warning: no films: no context; everything else goes on"
    assert [text for text in capfd.readouterr().err.splitlines() if "warning" in text] == [line]


def test_a_run_leaves_its_episodes_behind(uninterrupted):
    summary = json.loads((uninterrupted / "summary.json").read_text())
    assert (summary["agent"], summary["episodes"], summary["steps"]) == ("simulator_cem", 3, 60)
    assert summary["evaluation"]["episodes"] == 3
    assert summary["evaluation"]["mean"] == pytest.approx(np.mean(summary["returns"]))
    with open(uninterrupted / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["episodes"] for row in rows] == ["1", "2", "3"]
    assert 0 < float(rows[-1]["planner/simulator_share"]) < 1
    assert [path.name for path in (uninterrupted / "videos").iterdir()] == ["000000-episode-0.gif"]
    assert not (uninterrupted / "policy").exists() and not (uninterrupted / "replay").exists()


class Crash(Exception):
    """As good as a kill: nothing is saved on the way out."""


def crash_after(steps: int) -> Callable[[], bool]:
    asked = itertools.count()

    def stop() -> bool:
        if next(asked) == steps:
            raise Crash
        return False

    return stop


def decisions_of(run: LocalRun) -> int:
    """Plans made by the run's process, after it has run."""
    assert run.run()
    return run._judge.policy._decisions


def test_a_run_that_is_stopped_within_an_episode_goes_on_there(uninterrupted, tmp_path):
    asked = iter([False] * 30 + [True] * 100)  # An episode has 20 steps.
    stopped = make(tmp_path / "log", stop=lambda: next(asked))
    assert not stopped.run()
    assert stopped.counters["episodes"] == 1
    # Of its 60 steps the first 30 are planned: the tenth of the second episode was the last.
    assert decisions_of(make(tmp_path / "log")) == 30
    np.testing.assert_array_equal(returns(tmp_path / "log"), returns(uninterrupted))


def test_a_crash_within_an_episode_loses_what_came_after_the_last_save(uninterrupted, tmp_path):
    always = "Experiment.checkpoint_minutes = 0"
    with pytest.raises(Crash):
        make(tmp_path / "log", always, stop=crash_after(47)).run()
    assert decisions_of(make(tmp_path / "log", always)) == 60 - 47
    np.testing.assert_array_equal(returns(tmp_path / "log"), returns(uninterrupted))
    seldom = "Experiment.checkpoint_minutes = 60"
    with pytest.raises(Crash):
        make(tmp_path / "seldom", seldom, stop=crash_after(47)).run()
    assert decisions_of(make(tmp_path / "seldom", seldom)) == 60 - 40
    np.testing.assert_array_equal(returns(tmp_path / "seldom"), returns(uninterrupted))


def test_episodes_side_by_side_go_on_within_too(tmp_path):
    two = "Experiment.num_environments = 2"
    whole = make(tmp_path / "whole", two)
    assert whole.run()
    with pytest.raises(Crash):
        make(tmp_path / "cut", two, "Experiment.checkpoint_minutes = 0", stop=crash_after(13)).run()
    resumed = make(tmp_path / "cut", two)
    assert resumed.run()
    np.testing.assert_array_equal(returns(tmp_path / "cut"), returns(tmp_path / "whole"))


def test_several_environments_plan_side_by_side(tmp_path):
    run = make(tmp_path / "log", "Experiment.num_environments = 2")
    assert run.run() and run.counters["episodes"] == 3
    assert len(set(returns(tmp_path / "log"))) == 3


def test_an_environment_without_a_simulator_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="continuous bounded actions"):
        make(tmp_path / "log", "Experiment.environment = @classic_control")
    assert not (tmp_path / "log").exists()
