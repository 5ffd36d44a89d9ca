"""Protects what the parts of a run are made for."""

from __future__ import annotations

import pathlib

import pytest

from pipelines.configuration import experiment
from pipelines.launch.parts import make_parts
from pipelines.system.errors import UserError

TINY = str(pathlib.Path(__file__).parents[1] / "tiny_planet.gin")
ELSEWHERE = "Experiment.evaluation_environment = @elsewhere/control_suite"


def test_evaluations_play_where_they_are_told_to():
    task = "elsewhere/control_suite.task = 'cartpole_swingup'"
    parts = make_parts(experiment.parse([TINY], [ELSEWHERE, task]), seed=0)
    assert parts.environment.name == "dm_control/cartpole_balance"
    assert parts.evaluation_environment.name == "dm_control/cartpole_swingup"
    assert parts.evaluation_environment.batch_size == 2
    parts = make_parts(experiment.parse([TINY]), seed=0)
    assert parts.evaluation_environment.name == "dm_control/cartpole_balance"


@pytest.mark.parametrize(
    ("binding", "line"),
    [
        ("image_size = 32", r"observation_spec of .*cartpole_balance\) is .*\(32, 32, 3\)"),
        ("task = 'reacher_easy'", r"action_spec of .*reacher_easy\) is .*shape=\(2,\)"),
    ],
)
def test_an_evaluation_of_other_observations_or_actions_is_one_line(binding, line):
    described = experiment.parse([TINY], [ELSEWHERE, f"elsewhere/control_suite.{binding}"])
    with pytest.raises(UserError, match=rf"^{line}.*; expected that of Experiment\.environment "):
        make_parts(described, seed=0)
