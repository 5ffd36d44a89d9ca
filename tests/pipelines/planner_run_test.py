"""Protects runs without learning: episodes are counted, filmed, saved and resumed like others."""

from __future__ import annotations

import csv
import json
import pathlib

import gin
import numpy as np
import pytest

from pipelines import experiment
from pipelines.errors import UserError
from pipelines.planner_run import PlannerRun

TINY = str(pathlib.Path(__file__).parent / "tiny_simulator_cem.gin")


def make(logdir, *bindings: str, stop=lambda: False) -> PlannerRun:
    described = experiment.parse([TINY], bindings)
    return PlannerRun(described, logdir, 3, gin.operative_config_str, stop)


def returns(logdir) -> list[float]:
    return json.loads((logdir / "summary.json").read_text())["returns"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    logdir = tmp_path_factory.mktemp("run") / "log"
    run = make(logdir)
    assert run.run() and run.finished
    return logdir


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


def test_a_stopped_run_goes_on_as_if_it_had_not_been(uninterrupted, tmp_path):
    asked = iter([False] * 30 + [True] * 100)  # An episode has 20 steps.
    stopped = make(tmp_path / "log", stop=lambda: next(asked))
    assert not stopped.run()
    assert 1 <= stopped.counters["episodes"] < 3
    resumed = make(tmp_path / "log")
    assert not resumed.finished and resumed.run()
    np.testing.assert_array_equal(returns(tmp_path / "log"), returns(uninterrupted))


def test_several_environments_plan_side_by_side(tmp_path):
    run = make(tmp_path / "log", "Experiment.num_environments = 2")
    assert run.run() and run.counters["episodes"] == 3
    assert len(set(returns(tmp_path / "log"))) == 3


def test_an_environment_without_a_simulator_is_refused_in_one_line(tmp_path):
    with pytest.raises(UserError, match="continuous bounded actions"):
        make(tmp_path / "log", "Experiment.environment = @classic_control")
    assert not (tmp_path / "log").exists()
