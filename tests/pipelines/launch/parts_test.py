"""Protects what the parts of a run are made for."""

from __future__ import annotations

import pathlib

import pytest

from pipelines.configuration import experiment
from pipelines.launch.parts import Parts, make_role, spec_of
from pipelines.launch.seeds import Seeds
from pipelines.replay.server import Replay
from pipelines.system.errors import UserError

TINY = str(pathlib.Path(__file__).parents[1] / "tiny_planet.gin")
ELSEWHERE = "Experiment.evaluation_environment = @elsewhere/control_suite"


def test_evaluations_play_where_they_are_told_to():
    task = "elsewhere/control_suite.task = 'cartpole_swingup'"
    parts = Parts(experiment.parse([TINY], [ELSEWHERE, task]), seed=0)
    assert parts.environments().name == "dm_control/cartpole_balance"
    evaluation = parts.evaluation_environments()
    assert evaluation.name == "dm_control/cartpole_swingup" and evaluation.batch_size == 2
    parts = Parts(experiment.parse([TINY]), seed=0)
    assert parts.evaluation_environments().name == "dm_control/cartpole_balance"


def test_no_two_environments_and_no_two_runs_share_a_seed():
    streams = ("environment", "evaluation_environment", "gate", "played_again")
    seeds = [
        Seeds(seed).of_environment(stream, i)
        for seed in range(50)
        for stream in streams
        for i in range(10)
    ]
    assert len(set(seeds)) == len(seeds)


def test_who_takes_the_place_of_one_that_died_draws_from_other_streams():
    assert Seeds(3, again=0).of("environment", 1) == Seeds(3).of("environment", 1)
    seeds = [Seeds(3, again).of("environment", i) for again in range(5) for i in range(5)]
    assert len(set(seeds)) == len(seeds)


def test_seats_alternate_from_environment_to_environment():
    parity = [
        Seeds(seed).of_environment("environment", i) % 2 for seed in range(5) for i in range(6)
    ]
    assert parity == [0, 1] * 15


def test_an_actor_far_away_acts_in_rows_of_its_own():
    """As a distributed launcher would wire it: part of the rows, made from the seed alone."""
    binding = "Experiment.num_environments = 4"
    parts = Parts(experiment.parse([TINY], [binding]), seed=5)
    whole, part = parts.environments(), parts.environments(range(2, 4))
    for near, far in zip(whole.environments[2:], part.environments, strict=True):
        assert near.random_state() == far.random_state()
    spec = spec_of(whole, whole)
    (stage,) = parts.stages
    replay = Replay(parts.tables(spec, paced=True))
    try:
        role = make_role(part)._replace(rows=range(2, 4), total_rows=4)
        networks = parts.networks(spec)
        seed_actor, actor = parts.actors(stage, networks, spec, role, replay.client)
        timesteps = part.reset()
        for each in (seed_actor, actor):
            assert each.select_action(timesteps).shape == (2, 1)
        again = parts.networks(spec)
        for one, other in zip(networks.variables, again.variables, strict=True):
            assert (one.numpy() == other.numpy()).all()
    finally:
        replay.close()


def test_without_a_seed_policy_one_actor_acts_from_the_first_step_on(monkeypatch):
    parts = Parts(experiment.parse([TINY]), seed=5)
    environment = parts.environments()
    spec = spec_of(environment, environment)
    (stage,) = parts.stages
    monkeypatch.setattr(type(stage), "make_seed_policy", lambda self, spec: None)
    replay = Replay(parts.tables(spec))
    try:
        role, networks = make_role(environment), parts.networks(spec)
        seed_actor, actor = parts.actors(stage, networks, spec, role, replay.client)
        assert seed_actor is actor
    finally:
        replay.close()


@pytest.mark.parametrize(
    ("binding", "line"),
    [
        ("image_size = 32", r"observation_spec of .*cartpole_balance\) is .*\(32, 32, 3\)"),
        ("task = 'reacher_easy'", r"action_spec of .*reacher_easy\) is .*shape=\(2,\)"),
    ],
)
def test_an_evaluation_of_other_observations_or_actions_is_one_line(binding, line):
    described = experiment.parse([TINY], [ELSEWHERE, f"elsewhere/control_suite.{binding}"])
    parts = Parts(described, seed=0)
    with pytest.raises(UserError, match=rf"^{line}.*; expected that of Experiment\.environment "):
        spec_of(parts.environments(), parts.evaluation_environments())
