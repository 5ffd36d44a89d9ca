"""Protects AlphaGo's four stages: each is reached, and a run that is cut equals one that is not."""

from __future__ import annotations

import csv
import os
import pathlib

import gin
import numpy as np
import pytest

from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from pipelines.system.errors import UserError
from tests.agents.alphago import tiny
from tests.pipelines.launch.outcomes import Stop, assert_equal, outcome

TINY = str(pathlib.Path(__file__).parent / "tiny_run.gin")


def make(logdir, folder, stop=lambda: False) -> LocalRun:
    parsed = experiment.parse([TINY], [f"AlphaGoConfig.sgf_folder = '{folder}'"])
    return LocalRun(parsed, logdir, 3, gin.operative_config_str, stop)


@pytest.fixture
def folder(tmp_path):
    tiny.write_games(tmp_path / "sgf", 8)
    return tmp_path / "sgf"


def test_stopped_at_any_moment_equals_uninterrupted(tmp_path, folder):
    """Stops at a random moment, and at another one in the first half: two stages at least."""
    stop = Stop()
    assert make(tmp_path / "whole", folder, stop).run()
    with open(tmp_path / "whole" / "metrics.csv") as file:
        seen = {k for row in csv.DictReader(file) for k, value in row.items() if value}
    for stage in ("supervised/held_out_accuracy", "rollout/loss", "reinforce/loss", "value/loss"):
        assert stage in seen
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    rng = np.random.RandomState(seed)
    first = rng.randint(1, stop.asked // 2)
    assert not make(tmp_path / "cut", folder, Stop(first)).run()
    second = rng.randint(1, max(stop.asked - first, 2))
    make(tmp_path / "cut", folder, Stop(second)).run()
    run = make(tmp_path / "cut", folder)
    assert run.run() or run.finished
    assert_equal(outcome(tmp_path / "cut"), outcome(tmp_path / "whole"))


def test_other_files_on_resume_are_named(tmp_path, folder):
    assert not make(tmp_path / "run", folder, Stop(2)).run()
    tiny.write_games(folder, 1, seed=9)
    with pytest.raises(UserError, match="are not those that this run began with"):
        make(tmp_path / "run", folder).run()


def test_no_games_end_in_one_line_and_leave_nothing(tmp_path):
    with pytest.raises(UserError, match=r"holds no SGF files; expected games to learn from"):
        make(tmp_path / "run", tmp_path / "nowhere")
    assert not (tmp_path / "run").exists()
