"""Protects IMPALA on its road: each rollout is learned from once, resumes have the queue."""

from __future__ import annotations

import os
import pathlib

import gin
import numpy as np
import pytest
import tensorflow as tf

from agents.impala.learning import ImpalaLearner
from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from pipelines.serving.export import SavedPolicy
from tests.agents.policy_contract import observe
from tests.pipelines.launch.outcomes import Stop, assert_equal, outcome, rows

SMALL = str(pathlib.Path(__file__).parents[3] / "gin" / "impala_cartpole_small.gin")
# Three environments and two rollouts an update: some wait in the queue from round to round.
TINY = (
    "Experiment.num_steps = 120",
    "Experiment.num_environments = 3",
    "Experiment.evaluation_interval = 60",
    "Experiment.evaluation_episodes = 2",
    "Experiment.evaluation_videos = 0",
    "ImpalaConfig.rollout = 5",
    "ImpalaConfig.batch_size = 2",
    "ImpalaConfig.hidden_layers = (8,)",
    "ImpalaConfig.frame_stack = 2",
    "ImpalaConfig.core_size = 5",
)


def make(logdir, stop=lambda: False) -> LocalRun:
    described = experiment.parse([SMALL], TINY)
    return LocalRun(described, logdir, 3, gin.operative_config_str, stop)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run: its directory, how often it asked whether to stop, its batches."""
    batches, step = [], ImpalaLearner.step

    def keep(self, batch):
        batches.append(batch)
        return step(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImpalaLearner, "step", keep)
        logdir, stop = tmp_path_factory.mktemp("impala") / "log", Stop()
        assert make(logdir, stop=stop).run()
    return logdir, stop.asked, batches


def test_every_rollout_is_learned_from_once(finished):
    logdir, _, batches = finished
    assert int(rows(logdir)[-1]["updates"]) == len(batches)
    assert all(batch.reward.shape == (2, 5) for batch in batches)
    # In the queue's order: an environment's next rollout comes after those of the two others.
    seen = tf.concat([batch.observation for batch in batches], axis=0)
    np.testing.assert_array_equal(seen[3:, 0], seen[:-3, -1])


def test_a_rollouts_memory_is_what_the_rows_before_it_leave(finished):
    """The core's states are those of other weights: what they begin with is the same."""
    _, _, batches = finished
    starts = tf.concat([b.start_of_episode for b in batches], axis=0).numpy()
    action = tf.concat([b.action for b in batches], axis=0).numpy()
    seen = tf.concat([b.observation for b in batches], axis=0).numpy()
    memory = [np.concatenate([b.state[k] for b in batches]) for k in ("observations", "action")]
    plain = [i for i in range(3, len(seen)) if not starts[i, 0] and not starts[i, 1]]
    plain = [i for i in plain if not starts[i - 3, -1]]
    assert plain
    for i in plain:
        np.testing.assert_array_equal(memory[0][i, 0], seen[i - 3, -2])
        assert memory[1][i] == action[i - 3, -1]


def test_a_run_stopped_at_a_random_moment_equals_the_uninterrupted_one(finished, tmp_path):
    reference, asked, _ = finished
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    random = np.random.RandomState(seed)
    assert not make(tmp_path / "log", stop=Stop(random.randint(1, asked))).run()
    assert make(tmp_path / "log").run()
    assert_equal(outcome(tmp_path / "log"), outcome(reference))


def test_the_saved_policy_remembers(finished):
    policy = SavedPolicy(finished[0] / "policy" / "last")
    state = policy.initial_state(5)
    assert np.all(state["action"] == -1)
    action, following, info = policy.step(observe(policy, 5), state, [0, 0])
    assert set(info) == {"log_prob"}
    np.testing.assert_array_equal(following["action"], action)
    assert following["hidden"].shape == following["cell"].shape == (5, 5)
    assert following["observations"].shape == (5, 1, 4)
