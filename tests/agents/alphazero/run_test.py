"""Protects AlphaZero's resume: a run that is stopped equals one that is not."""

from __future__ import annotations

import os
import pathlib

import gin
import numpy as np
import pytest

from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from tests.pipelines.launch.outcomes import Stop, assert_equal, outcome

TINY = str(pathlib.Path(__file__).parent / "tiny_run.gin")
RESIGNING = (
    "AlphaZeroConfig.resign_threshold = 0.2",
    "AlphaZeroConfig.played_on = 0.5",
    "rules_game.resignation = True",
)


def make(logdir, *bindings: str, stop=lambda: False) -> LocalRun:
    return LocalRun(experiment.parse([TINY], bindings), logdir, 3, gin.operative_config_str, stop)


@pytest.mark.parametrize("bindings", [(), RESIGNING], ids=["plain", "resigning"])
def test_stopped_at_random_moments_equals_uninterrupted(tmp_path, bindings):
    stop = Stop()
    assert make(tmp_path / "whole", *bindings, stop=stop).run()
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    random = np.random.RandomState(seed)
    for _ in range(2):
        make(tmp_path / "cut", *bindings, stop=Stop(random.randint(1, stop.asked // 2))).run()
    assert make(tmp_path / "cut", *bindings).run()
    assert_equal(outcome(tmp_path / "cut"), outcome(tmp_path / "whole"))
