"""Protects PETS in its pipeline: the whole table is read in order, and a resume goes on equally."""

from __future__ import annotations

import pathlib

import gin
import numpy as np
import pytest

from agents.pets import PETSBuilder
from pipelines.configuration import experiment
from pipelines.environments import control_suite, make_environment_spec
from pipelines.launch.local import LocalRun
from pipelines.serving.export import SavedPolicy
from pipelines.system.errors import UserError
from tests.agents.policy_contract import observe
from tests.pipelines.launch.outcomes import assert_equal, outcome, rows

TINY = str(pathlib.Path(__file__).parents[2] / "pipelines" / "tiny_pets.gin")


def make(logdir, *bindings: str, stop=lambda: False) -> LocalRun:
    described = experiment.parse([TINY], bindings)
    return LocalRun(described, logdir, 3, gin.operative_config_str, stop)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    logdir = tmp_path_factory.mktemp("pets") / "log"
    assert make(logdir).run()
    return logdir


def test_a_run_learns_acts_judges_and_exports(finished):
    table = rows(finished)
    assert table[-1]["episodes"] == "4" and table[-1]["updates"] == "8"
    assert any(row["calibration/log_likelihood"] for row in table)
    videos = {path.name for path in (finished / "videos").iterdir()}
    assert {"000004-calibration.png", "000004-episode-0.gif"} <= videos
    policy = SavedPolicy(finished / "policy" / "last")
    action, _, info = policy.step(observe(policy, 3), policy.initial_state(3), [0, 0])
    assert action.shape == (3, 1) and np.all(np.abs(action) <= 1)
    assert info["predicted_return"].shape == (3,)
    with pytest.raises(UserError, match="observation is NaN or infinite"):
        policy.step(observe(policy, 3) * np.nan, policy.initial_state(3), [0, 0])


def test_a_stopped_run_goes_on_as_if_it_had_not_been(finished, tmp_path):
    asked = iter([False] * 45 + [True] * 1000)
    stopped = make(tmp_path / "log", stop=lambda: next(asked))
    assert not stopped.run() and 0 < stopped.counters["episodes"] < 4
    assert make(tmp_path / "log").run()
    assert_equal(outcome(tmp_path / "log"), outcome(finished))


@pytest.mark.parametrize(
    ("task", "observation", "words"),
    [
        ("cartpole", "state", "has observations of 4 numbers, the environment's have 5"),
        ("differences", "pixels", "PETS needs states"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_in_one_line(
    tmp_path, task, observation, words
):
    with pytest.raises(UserError, match=words):
        make(
            tmp_path / "log",
            f"PETSConfig.task = '{task}'",
            f"control_suite.observation = '{observation}'",
        )


def test_the_table_is_a_ring():
    spec = make_environment_spec(control_suite(seed=0, observation="state"))
    (made,) = PETSBuilder().make_tables(spec)
    assert made.info.sampler_options.heap.min_heap is False
    assert made.info.signature.observation.shape.as_list() == [None, 5]
