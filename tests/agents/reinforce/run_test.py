"""Protects REINFORCE on its road: each row is learned from once, and a resume goes on equally."""

from __future__ import annotations

import pathlib

import gin
import numpy as np
import pytest

from agents.reinforce.learning import ReinforceLearner
from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from pipelines.serving.export import SavedPolicy
from pipelines.system.errors import UserError
from tests.agents.policy_contract import observe
from tests.pipelines.launch.outcomes import Stop, assert_stops_change_nothing, rows

SMALL = str(pathlib.Path(__file__).parents[3] / "gin" / "reinforce_cartpole_small.gin")
TINY = (
    "Experiment.num_steps = 300",
    "Experiment.num_environments = 2",
    "Experiment.collected_episodes = 3",
    "Experiment.evaluation_interval = 200",
    "Experiment.evaluation_episodes = 2",
    "Experiment.evaluation_videos = 0",
    "ReinforceConfig.hidden_layers = (8,)",
)


def make(logdir, *bindings: str, stop=lambda: False) -> LocalRun:
    described = experiment.parse([SMALL], [*TINY, *bindings])
    return LocalRun(described, logdir, 3, gin.operative_config_str, stop)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run: its directory, how often it asked whether to stop, and its batches."""
    batches, update = [], ReinforceLearner.step

    def step(self, batch):
        batches.append(batch)
        return update(self, batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ReinforceLearner, "step", step)
        logdir, stop = tmp_path_factory.mktemp("reinforce") / "log", Stop()
        assert make(logdir, stop=stop).run()
    return logdir, stop.asked, batches


def test_every_row_is_learned_from_once_and_in_whole_episodes(finished):
    logdir, _, batches = finished
    last = rows(logdir)[-1]
    starts = np.concatenate([batch.observation[batch.start_of_episode] for batch in batches])
    assert len(np.unique(starts, axis=0)) == len(starts) == int(last["episodes"])
    assert sum(len(batch.reward) for batch in batches) == int(last["step"]) + len(starts)
    assert all(batch.start_of_episode[0] for batch in batches)
    assert int(last["updates"]) == len(batches) == len(starts) / 3


def test_the_table_of_metrics_accounts_for_every_step(finished):
    updates, steps = 0, 0.0
    for row in rows(finished[0]):
        steps += (int(row["updates"]) - updates) * float(row["learner/steps"] or 0)
        updates = int(row["updates"])
    assert steps == pytest.approx(int(row["step"]))


def test_a_run_stopped_at_random_moments_equals_the_uninterrupted_one(finished, tmp_path):
    reference, asked, _ = finished
    assert_stops_change_nothing(make, reference, asked, tmp_path / "log")


def test_the_saved_policy_acts(finished):
    policy = SavedPolicy(finished[0] / "policy" / "last")
    action, _, info = policy.step(observe(policy, 5), policy.initial_state(5), [0, 0])
    assert action.shape == (5,) and set(np.unique(action)) <= {0, 1}
    assert np.all(np.array(info["log_prob"]) >= np.log(0.5) - 1e-6), "it is judged by its mode"


CONTROL = ("Experiment.environment = @control_suite", "control_suite.task = 'cartpole_balance'")


@pytest.mark.parametrize(
    ("bindings", "line"),
    [
        (
            CONTROL,
            r"^REINFORCE needs states, float32 \[n\], got observations uint8 \[64, 64, 3\]; .* "
            "PlaNet learns from pixels$",
        ),
        (
            ("Experiment.environment = @board_game",),
            "^REINFORCE needs observations of one array, got several: board, legal_actions$",
        ),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_in_one_line(tmp_path, bindings, line):
    with pytest.raises(UserError, match=line):
        make(tmp_path / "log", *bindings)
    assert not (tmp_path / "log").exists()
