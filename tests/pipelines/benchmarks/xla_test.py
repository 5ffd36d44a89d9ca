"""Protects what `bench.py xla` says of an agent's programs: how far XLA's results are apart."""

from __future__ import annotations

import numpy as np

from pipelines.benchmarks import xla
from pipelines.benchmarks.measured import Settings


def test_update_and_decision_of_dqn_are_those_of_plain_tensorflow():
    settings = Settings(
        "dqn_cartpole_small", "planet", "auto", None, batch=2, repeats=1, bindings=()
    )
    update, act = xla.run(settings)
    assert (update["program"], act["program"]) == ("update", "act")
    assert update["variables_apart"] < 1e-5
    assert act["action_apart"] == 0 and act["rest_apart"] < 1e-5
    for found in (update, act):
        assert found["xla_first_s"] > found["plain_ms"] / 1e3, "it was compiled"


def test_a_difference_counts_against_the_largest_number_or_1():
    assert xla.difference([100.0, -200.0], [101.0, -200.0]) == 1 / 200
    assert xla.difference([0.25], [0.75]) == 0.5
    assert xla.difference(np.zeros([0]), np.zeros([0])) == 0.0
