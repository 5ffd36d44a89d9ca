"""Protects resume: a run that is stopped, killed or finished goes on as if nothing had happened."""

from __future__ import annotations

import math
import os
import pathlib
import shutil
import socket
from collections.abc import Callable

import gin
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from agents.builder import Schedule
from agents.planet.adder import SequenceAdder
from agents.planet.learning import PlaNetLearner
from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from pipelines.logdir.checkpointing import find_latest
from pipelines.system.errors import UserError
from tests.pipelines.launch.outcomes import Stop, assert_equal, outcome, rows
from tests.pipelines.measured_times import TIMES

TINY = str(pathlib.Path(__file__).parents[1] / "tiny_planet.gin")
TINY_PETS = str(pathlib.Path(__file__).parents[1] / "tiny_pets.gin")
SEED = 3


def make(logdir, *bindings: str, stop: Callable[[], bool] = lambda: False) -> LocalRun:
    described = experiment.parse([TINY], bindings)
    return LocalRun(described, logdir, SEED, gin.operative_config_str, stop)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple[pathlib.Path, int]:
    """A finished run's directory, and how often it asked whether to stop."""
    logdir, stop = tmp_path_factory.mktemp("runs") / "uninterrupted", Stop()
    assert make(logdir, stop=stop).run()
    return logdir, stop.asked


def test_stopped_twice_at_random_moments_equals_uninterrupted(uninterrupted, tmp_path):
    reference, asked = uninterrupted
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    random = np.random.RandomState(seed)
    for _ in range(2):
        at = random.randint(1, asked)
        run = make(tmp_path / "log", stop=Stop(at))
        print(f"from {run.counters} stop at question {at} of {asked}")
        run.run()
    run = make(tmp_path / "log")
    if run.finished:  # Both stops fell behind the last question.
        run.close()
    else:
        assert run.run()
    assert_equal(outcome(tmp_path / "log"), outcome(reference))


def test_a_finished_run_knows_it_and_goes_on_when_there_is_more_to_do(uninterrupted, tmp_path):
    reference, _ = uninterrupted
    logdir = shutil.copytree(reference, tmp_path / "log")
    before = sorted(path.name for path in (logdir / "checkpoints").iterdir())
    run = make(logdir)
    assert run.finished
    run.close()
    assert sorted(path.name for path in (logdir / "checkpoints").iterdir()) == before
    assert rows(logdir) == rows(reference)

    run = make(logdir, "Experiment.num_episodes = 5", "Experiment.evaluation_episodes = 1")
    assert not run.finished
    assert run.run()
    assert run.counters["episodes"] == 5
    assert run.counters["updates"] == 3 * (5 - 2 + 1)
    assert rows(logdir)[: len(rows(reference))] == rows(reference)
    assert len(rows(logdir)) == len(rows(reference)) + 2, "an episode and an evaluation"


def test_more_episodes_than_environments_are_collected_at_a_time(tmp_path):
    bindings = ("Experiment.num_environments = 2", "Experiment.collected_episodes = 3")
    assert make(tmp_path / "log", *bindings, "Experiment.num_episodes = 5").run()
    episodes = [int(row["episodes"]) for row in rows(tmp_path / "log")]
    assert sorted(set(episodes)) == [3, 5]


def test_pictures_and_scalars_reach_tensorboard(uninterrupted):
    logdir, _ = uninterrupted
    accumulator = EventAccumulator(str(logdir))
    accumulator.Reload()
    tags = set(accumulator.Tags()["tensors"])
    columns = set(rows(logdir)[0]) - {"step", "episodes", "updates"}
    assert columns | TIMES - {"wall_clock"} <= tags
    for name in ("evaluation/episode", "evaluation/open_loop"):
        assert [event.step for event in accumulator.Tensors(name)] == [40, 80]


@pytest.mark.parametrize(
    ("binding", "why"),
    [
        ("PlaNetConfig.deterministic_size = 9", ""),
        ("Experiment.num_environments = 2", "got 1 random states, expected 2"),
        ("PlaNetConfig.sequence_length = 7", "table 'sequences' had the signature .*5.*, now .*7"),
        (
            "PlaNetConfig.replay_sampler = 'return'",
            "table 'sequences' had the sampler fifo: true, now prioritized .*",
        ),
        (
            "PlaNetConfig.replay_capacity = 9",
            r"table 'sequences' holds \d+ items, its capacity is now 9",
        ),
    ],
)
def test_a_checkpoint_of_another_configuration_is_one_line(uninterrupted, tmp_path, binding, why):
    logdir = shutil.copytree(uninterrupted[0], tmp_path / "log")
    expected = rf"^checkpoint {logdir}/checkpoints/\S+ does not fit this configuration: {why}"
    with pytest.raises(UserError, match=expected):
        make(logdir, binding)
    assert rows(logdir) == rows(uninterrupted[0]), "nothing is written before all of it fits"


def test_a_larger_capacity_is_applied_at_the_next_start(uninterrupted, tmp_path):
    logdir = shutil.copytree(uninterrupted[0], tmp_path / "log")
    run = make(logdir, "PlaNetConfig.replay_capacity = 70", "Experiment.num_episodes = 5")
    (info,) = run._replay.client.server_info().values()
    assert (info.max_size, info.current_size) == (70, 4 * (20 + 1 - 5 + 1))
    assert run.run()
    assert run._replay is not None and rows(logdir)[-1]["episodes"] == "5"


@pytest.mark.parametrize("lost", ["policy", "policy/last", "policy/last/assets.extra"])
def test_a_last_policy_that_was_not_exported_is_exported_at_the_next_start(
    uninterrupted, tmp_path, lost
):
    """The run ended between its last checkpoint and the export: a full disk, a kill."""
    logdir = shutil.copytree(uninterrupted[0], tmp_path / "log")
    shutil.rmtree(logdir / lost)
    run = make(logdir)
    assert not run.finished
    assert run.run()
    assert (logdir / "policy" / "last" / "saved_model.pb").exists()
    assert rows(logdir) == rows(uninterrupted[0])
    run = make(logdir)
    assert run.finished
    run.close()


def test_a_log_directory_that_is_removed_ends_the_run_in_one_line_and_stays_removed(tmp_path):
    asked = []

    def remove() -> bool:
        asked.append(True)
        if len(asked) == 50:  # While it is evaluated: it is about to write a film.
            shutil.rmtree(tmp_path / "runs")
        return False

    run = make(tmp_path / "runs" / "log", stop=remove)
    with pytest.raises(UserError, match=rf" {tmp_path}/runs(/log)? is gone"):
        run.run()
    assert os.listdir(tmp_path) == []


def test_a_run_that_is_made_and_closed_leaves_nothing(tmp_path):
    make(tmp_path / "runs" / "log").close()
    assert os.listdir(tmp_path) == []


def test_a_start_that_fails_leaves_no_directory(tmp_path):
    with socket.socket() as taken, pytest.raises(UserError, match=r"^replay port \d+ is in use"):
        taken.bind(("", 0))
        port = taken.getsockname()[1]
        make(tmp_path / "runs" / "log", f"Experiment.replay_port = {port}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("tiny", "name"), [(TINY, "PlaNet"), (TINY_PETS, "PETS")])
def test_observations_of_several_arrays_are_one_line_where_one_is_needed(tmp_path, tiny, name):
    described = experiment.parse([tiny], ["Experiment.environment = @board_game"])
    line = rf"^{name} needs observations of one array, got several: board, legal_actions$"
    with pytest.raises(UserError, match=line):
        LocalRun(described, tmp_path / "log", SEED, gin.operative_config_str)


def test_a_table_that_nothing_came_to_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(SequenceAdder, "_write", lambda self: None)
    monkeypatch.setattr(SequenceAdder, "_write_last", lambda self: None)
    run = make(tmp_path / "log")
    with pytest.raises(UserError, match=r"^replay table .sequences. is empty after 2 "):
        run.run()


def test_priorities_that_a_learner_wants_are_in_the_table_after_its_step(tmp_path, monkeypatch):
    step, seen = PlaNetLearner.step, []

    def step_on_samples(self, sample):
        seen.append(sample.key)
        update = step(self, sample.trajectory)
        return update._replace(priorities=tf.constant([500.0, 500.0]))

    monkeypatch.setattr(PlaNetLearner, "step", step_on_samples)

    def stop() -> bool:
        if run.counters["updates"] == 0:
            return False
        priorities.update(
            (sample.info.key, sample.info.priority)
            for sample in run._replay.client.sample_items("sequences", 100)
        )
        return True

    priorities = {}
    described = experiment.parse([TINY], ["PlaNetConfig.replay_sampler = 'return'"])
    options = described.builder.dataset_options
    described.builder.dataset_options = options._replace(prioritized=True)
    run = LocalRun(described, tmp_path / "log", SEED, gin.operative_config_str, stop)
    assert not run.run()
    (keys,) = seen
    written = {key for key, priority in priorities.items() if priority == 500.0}
    assert written == set(keys.numpy())


def test_updates_may_follow_the_steps(tmp_path):
    described = experiment.parse([TINY], ["Experiment.num_episodes = 3"])
    described.builder.schedule = Schedule(seed_episodes=2, updates_per_step=0.12)
    run = LocalRun(described, tmp_path / "log", SEED, gin.operative_config_str)
    assert run.run()
    assert run.counters["step"] == 3 * 20
    assert run.counters["updates"] == 7
    assert [int(row["updates"]) for row in rows(tmp_path / "log")] == [0, 0, 4, 4, 7]


def test_a_loss_that_is_not_finite_ends_the_run_and_spares_the_last_checkpoint(
    tmp_path, monkeypatch
):
    update = PlaNetLearner.update

    def update_gone_astray(self, batch, seed):
        found = update(self, batch, seed)
        broken = tf.where(seed[1] == 4, math.inf, found.metrics["loss/reward"])
        return found._replace(metrics={**found.metrics, "loss/reward": broken})

    monkeypatch.setattr(PlaNetLearner, "update", update_gone_astray)
    run = make(tmp_path / "log")
    with pytest.raises(UserError, match=r"^loss/reward is inf in update 5: .*last checkpoint"):
        run.run()
    unit = find_latest(tmp_path / "log")
    assert unit.state["run"]["updates"] == 3


def test_a_run_may_be_as_long_as_its_steps(tmp_path):
    bindings = ("Experiment.num_steps = 70", "Experiment.evaluation_interval = 60")
    run = make(tmp_path / "log", *bindings)
    assert run.run()
    assert run.counters["step"] == 80, "the round that gets there is finished"
    evaluated = [int(row["step"]) for row in rows(tmp_path / "log") if row["evaluation/return"]]
    assert evaluated == [60, 80]
