"""Protects AlphaZero's resume: a run that is stopped equals one that is not."""

from __future__ import annotations

import os
import pathlib

import gin
import numpy as np

from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from pipelines.logdir import exported
from tests.pipelines.launch.outcomes import Stop, assert_equal, outcome

TINY = str(pathlib.Path(__file__).parent / "tiny_run.gin")


def make(logdir, stop=lambda: False) -> LocalRun:
    return LocalRun(experiment.parse([TINY]), logdir, 3, gin.operative_config_str, stop)


def test_stopped_at_a_random_moment_equals_uninterrupted(tmp_path):
    """With resignation, whose games that are played on are part of the policy's state."""
    stop = Stop()
    assert make(tmp_path / "whole", stop).run()
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    at = np.random.RandomState(seed).randint(1, stop.asked)
    assert not make(tmp_path / "cut", Stop(at)).run()
    assert make(tmp_path / "cut").run()
    assert_equal(outcome(tmp_path / "cut"), outcome(tmp_path / "whole"))
    assert exported.kept_positions(tmp_path / "cut") == [6]
