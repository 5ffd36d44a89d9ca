"""Protects DQN on its road: a resume goes on equally, mid-episode, and the policy is saved."""

from __future__ import annotations

import pathlib

import gin
import numpy as np
import pytest

from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from pipelines.serving.export import SavedPolicy
from tests.agents.policy_contract import observe
from tests.pipelines.launch.outcomes import Stop, assert_stops_change_nothing, rows

SMALL = str(pathlib.Path(__file__).parents[3] / "gin" / "dqn_cartpole_small.gin")
TINY = (
    "Experiment.num_steps = 300",
    "Experiment.num_environments = 1",  # Of two, whose items come first is a race.
    "Experiment.evaluation_interval = 200",
    "Experiment.evaluation_episodes = 2",
    "Experiment.evaluation_videos = 0",
    "DQNConfig.hidden_layers = (8,)",
    "DQNConfig.frame_stack = 2",
    "DQNConfig.n_step = 2",
    "DQNConfig.batch_size = 8",
    "DQNConfig.updates_per_step = 0.5",
    "DQNConfig.seed_steps = 60",
    "DQNConfig.target_period = 7",
    # What TensorFlow draws is repeated bit for bit, what Reverb draws is not.
    "DQNConfig.replay_sampler = 'fifo'",
)


def make(logdir, stop=lambda: False) -> LocalRun:
    described = experiment.parse([SMALL], TINY)
    return LocalRun(described, logdir, 3, gin.operative_config_str, stop)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run's directory, and how often it asked whether to stop."""
    logdir, stop = tmp_path_factory.mktemp("dqn") / "log", Stop()
    assert make(logdir, stop=stop).run()
    return logdir, stop.asked


def test_updates_are_as_many_as_the_steps_behind_the_first_ones_say(finished):
    last = rows(finished[0])[-1]
    assert int(last["updates"]) == (int(last["step"]) - 60) // 2


def test_a_run_stopped_at_random_moments_equals_the_uninterrupted_one(finished, tmp_path):
    reference, asked = finished
    assert_stops_change_nothing(make, reference, asked, tmp_path / "log")


def test_the_saved_policy_acts(finished):
    policy = SavedPolicy(finished[0] / "policy" / "last")
    state = policy.initial_state(5)
    action, following, info = policy.step(observe(policy, 5), state, [0, 0])
    assert action.shape == (5,) and set(np.unique(action)) <= {0, 1}
    assert info["q_value"].shape == (5,)
    assert following["observations"].shape == (5, 2, 4)
