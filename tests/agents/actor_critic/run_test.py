"""Protects A2C and PPO on their road: rows are learned from once, resumes go on equally."""

from __future__ import annotations

import functools
import pathlib

import gin
import numpy as np
import pytest
import tensorflow as tf

from agents.actor_critic.learner import ActorCriticLearner
from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from pipelines.serving.export import SavedPolicy
from pipelines.system.errors import UserError
from tests.agents.policy_contract import observe
from tests.pipelines.launch.outcomes import Stop, assert_stops_change_nothing, rows

GIN = pathlib.Path(__file__).parents[3] / "gin"
TINY = (
    "Experiment.num_steps = 200",
    "Experiment.num_environments = 3",
    "Experiment.evaluation_interval = 100",
    "Experiment.evaluation_episodes = 2",
    "Experiment.evaluation_videos = 0",
)
SETTINGS = {
    "rollout": 8,
    "hidden_layers": (8,),
    "normalise_observations": True,
    "normalise_rewards": True,
}
OF_PPO = {"epochs": 2, "minibatches": 2, "surrogate": "'penalty'"}


def make(agent: str, logdir, *bindings: str, stop=lambda: False) -> LocalRun:
    settings = {**SETTINGS, **(OF_PPO if agent == "PPO" else {"correction": "'vtrace'"})}
    settings = [f"{agent}Config.{name} = {value}" for name, value in settings.items()]
    file = str(GIN / f"{agent.lower()}_cartpole_small.gin")
    described = experiment.parse([file], [*TINY, *settings, *bindings])
    return LocalRun(described, logdir, 3, gin.operative_config_str, stop)


@pytest.fixture(scope="module", params=["A2C", "PPO"])
def finished(request, tmp_path_factory):
    """A finished run: its agent, directory, how often it asked whether to stop, its batches."""
    batches, step = [], ActorCriticLearner.step

    def keep(self, batch):
        batches.append(batch)
        return step(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ActorCriticLearner, "step", keep)
        logdir, stop = tmp_path_factory.mktemp(request.param) / "log", Stop()
        assert make(request.param, logdir, stop=stop).run()
    return request.param, logdir, stop.asked, batches


def test_every_row_is_learned_from_once(finished):
    _, logdir, _, batches = finished
    last = rows(logdir)[-1]
    assert int(last["updates"]) == len(batches)
    seen = tf.concat([batch.observation for batch in batches], axis=1)  # [B, updates · (T + 1), D]
    seen = tf.reshape(seen, [3, len(batches), 9, 4])
    np.testing.assert_array_equal(seen[:, 1:, 0], seen[:, :-1, -1])
    acted = sum(int(tf.reduce_sum(tf.cast(~b.start_of_episode[:, 1:], tf.int32))) for b in batches)
    assert acted == int(last["step"])


def test_a_run_stopped_at_random_moments_equals_the_uninterrupted_one(finished, tmp_path):
    agent, reference, asked, _ = finished
    assert_stops_change_nothing(functools.partial(make, agent), reference, asked, tmp_path / "log")


def test_the_saved_policy_normalises_as_the_learner_does(finished):
    agent, logdir, _, _ = finished
    run = make(agent, logdir)
    policy, networks = SavedPolicy(logdir / "policy" / "last"), run._networks
    observation = observe(policy, 5)
    action, _, info = policy.step(observation, policy.initial_state(5), [0, 0])
    expected = networks.acting(observation)
    np.testing.assert_array_equal(action, expected.mode())
    np.testing.assert_allclose(info["log_prob"], expected.log_prob(action), rtol=1e-5)
    assert networks.observation_moments.count > 0
    assert np.all(networks.observation_moments.stddev.numpy() != 1)


@pytest.mark.parametrize("agent", ["A2C", "PPO"])
def test_an_environment_that_does_not_fit_is_refused_in_one_line(tmp_path, agent):
    control = ("Experiment.environment = @control_suite", "control_suite.task = 'cartpole_balance'")
    with pytest.raises(UserError, match=rf"^{agent} needs states, float32 \[n\], got observations"):
        make(agent, tmp_path / "log", *control)
    assert not (tmp_path / "log").exists()
