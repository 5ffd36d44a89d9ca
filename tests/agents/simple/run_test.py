"""Protects SimPLe on its road: cycles, what each stage does, resumes, and what a run leaves."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving.world import SavedWorld
from pipelines.system.errors import UserError
from tests.agents.simple import tiny
from tests.agents.simple.tiny_run import make
from tests.pipelines.launch.outcomes import Stop, assert_stops_change_nothing, rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    logdir, stop = tmp_path_factory.mktemp("simple") / "log", Stop()
    assert make(logdir, stop=stop).run()
    return logdir, stop.asked


def test_a_run_goes_through_its_cycles(finished):
    last = rows(finished[0])[-1]
    # Data: two rounds of 12 rows a cycle, some of which end an episode and take no action.
    assert 40 < int(last["step"]) <= 48
    assert int(last["updates"]) == (4 + 3) + (2 + 3)
    judged = [row for row in rows(finished[0]) if row["evaluation/return"]]
    assert [int(row["updates"]) for row in judged] == [7, 12], "at the ends of policies alone"
    assert all(row["imagination/reward"] and row["evaluation/reward"] for row in judged)
    for row in judged:
        expected = float(row["evaluation/return"]) / 20
        assert float(row["evaluation/reward"]) == pytest.approx(expected, abs=1e-6)


def test_a_run_stopped_within_its_cycles_equals_the_uninterrupted_one(finished, tmp_path):
    reference, asked = finished
    assert_stops_change_nothing(make, reference, asked, tmp_path / "log")


def test_the_world_that_is_left_steps_as_the_model_does(finished):
    logdir, _ = finished
    saved, run = SavedWorld(logdir / "world" / "last"), make(logdir)
    world = run._builder.make_world(run._networks)
    frames = tf.random.stateless_uniform([5, 24, 24, 1], [1, 2], 0, 256, tf.int32)
    frames, action = tf.cast(frames, tf.uint8), tf.constant([0, 1, 2, 1, 0])
    states = [each.seen(each.reset(frames), 255 - frames) for each in (saved, world)]
    for t in range(2):
        ours, theirs = (
            each.step(state, action, tf.constant([9, t]))
            for each, state in zip((saved, world), states, strict=True)
        )
        tf.nest.map_structure(np.testing.assert_array_equal, tuple(ours), tuple(theirs))
        states = [ours.state, theirs.state]
    run.close()
    plain = tf.saved_model.load(str(logdir / "world" / "last"))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"observation is uint8 \[2 3\]"):
        plain.reset(tf.zeros([2, 3], tf.uint8))
    words = (logdir / "world" / "last" / "assets.extra" / "README.md").read_text()
    assert (
        "| `state_frames` | uint8 [B, 2, 24, 24, 1] | the last frames, the newest last |" in words
    )


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ("classic_control", r"^SimPLe needs images, uint8 \[height, width, channels\], got obs"),
        ("control_suite", r"^SimPLe needs discrete actions, got BoundedArray"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_in_one_line(tmp_path, environment, line):
    bindings = [f"Experiment.environment = @{environment}"]
    if environment == "control_suite":
        bindings += ["control_suite.task = 'cartpole_balance'", "control_suite.image_size = 24"]
    with pytest.raises(UserError, match=line):
        make(tmp_path / "log", *bindings)
    assert not (tmp_path / "log").exists()


def test_imagination_may_start_from_the_newest_rows_alone():
    """Of two tables that get the same items, one holds no more than the newest."""
    made = tiny.builder(replay_capacity=50, start_capacity=7)
    for stage, names in zip(
        made.make_stages(), (["sequences", "starts"], ["starts", "sequences"]), strict=True
    ):
        tables = stage.make_tables(tiny.SPEC)
        assert [table.name for table in tables] == names
        assert stage.dataset_options.table == names[0]
        assert {t.name: t.info.max_size for t in tables} == {"sequences": 50, "starts": 7}
    assert tiny.builder().make_stages()[1].dataset_options.table == "sequences"
