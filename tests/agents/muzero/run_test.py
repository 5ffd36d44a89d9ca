"""Protects MuZero's resume, Reanalyze included: a run that is stopped equals one that is not."""

from __future__ import annotations

import os
import pathlib

import gin
import numpy as np

from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from tests.pipelines.launch.outcomes import Stop, assert_equal, outcome

TINY = str(pathlib.Path(__file__).parent / "tiny_run.gin")
REANALYZE = ("MuZeroConfig.reanalyze_fraction = 0.5", "MuZeroConfig.target_period = 3")


def make(logdir, stop=lambda: False) -> LocalRun:
    run = experiment.parse([TINY], REANALYZE)
    return LocalRun(run, logdir, 3, gin.operative_config_str, stop)


def test_stopped_at_random_moments_equals_uninterrupted(tmp_path):
    stop = Stop()
    assert make(tmp_path / "whole", stop).run()
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    random = np.random.RandomState(seed)
    for _ in range(2):
        make(tmp_path / "cut", Stop(random.randint(1, stop.asked // 2))).run()
    assert make(tmp_path / "cut").run()
    assert_equal(outcome(tmp_path / "cut"), outcome(tmp_path / "whole"))
