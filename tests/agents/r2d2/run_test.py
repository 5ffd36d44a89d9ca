"""Protects R2D2 on its road: a resume goes on equally, memories and all; its policy is saved."""

from __future__ import annotations

import os
import pathlib

import gin
import numpy as np
import pytest

from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from pipelines.serving.export import SavedPolicy
from tests.agents.policy_contract import observe
from tests.pipelines.launch.outcomes import Stop, assert_equal, outcome, rows

SMALL = str(pathlib.Path(__file__).parents[3] / "gin" / "r2d2_cartpole_small.gin")
TINY = (
    "Experiment.num_steps = 160",
    "Experiment.num_environments = 1",  # Of two, whose items come first is a race.
    "Experiment.evaluation_interval = 100",
    "Experiment.evaluation_episodes = 2",
    "Experiment.evaluation_videos = 0",
    "R2D2Config.core_size = 5",
    "R2D2Config.hidden_layers = (8,)",
    "R2D2Config.frame_stack = 2",
    "R2D2Config.sequence_length = 6",
    "R2D2Config.burn_in = 2",
    "R2D2Config.period = 3",
    "R2D2Config.n_step = 2",
    "R2D2Config.batch_size = 4",
    "R2D2Config.seed_steps = 40",
    "R2D2Config.target_period = 7",
    "R2D2Config.updates_per_step = 0.125",
    # What TensorFlow draws is repeated bit for bit, what Reverb draws is not.
    "R2D2Config.replay_sampler = 'fifo'",
)


def make(logdir, stop=lambda: False) -> LocalRun:
    described = experiment.parse([SMALL], TINY)
    return LocalRun(described, logdir, 3, gin.operative_config_str, stop)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run's directory, and how often it asked whether to stop."""
    logdir, stop = tmp_path_factory.mktemp("r2d2") / "log", Stop()
    assert make(logdir, stop=stop).run()
    return logdir, stop.asked


def test_a_run_stopped_at_a_random_moment_equals_the_uninterrupted_one(finished, tmp_path):
    reference, asked = finished
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    at = np.random.RandomState(seed).randint(1, asked)
    assert not make(tmp_path / "log", stop=Stop(at)).run()
    assert make(tmp_path / "log").run()
    assert_equal(outcome(tmp_path / "log"), outcome(reference))


def test_updates_are_as_many_as_the_steps_behind_the_first_ones_say(finished):
    last = rows(finished[0])[-1]
    assert int(last["updates"]) == (int(last["step"]) - 40) // 8


def test_the_saved_policy_remembers(finished):
    policy = SavedPolicy(finished[0] / "policy" / "last")
    state = policy.initial_state(3)
    assert np.all(state["action"] == -1)
    action, following, info = policy.step(observe(policy, 3), state, [0, 0])
    assert set(info) == {"q_value"}
    np.testing.assert_array_equal(following["action"], action)
    assert following["hidden"].shape == following["cell"].shape == (3, 5)
