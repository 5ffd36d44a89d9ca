"""Protects the policy: the contract, and how far each row explores."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.builder import Role
from agents.d4pg import D4PGBuilder
from agents.d4pg.acting import D4PGPolicy
from tests.agents.d4pg import tiny
from tests.agents.policy_contract import PolicyContract, observe


def make(torso: str = "states", role: Role | None = None, **changes) -> D4PGPolicy:
    builder, networks = tiny.builder_and_networks(torso, **changes)
    return builder.make_policy(networks, tiny.spec(torso), role or Role())


class TestPolicyOverStates(PolicyContract):
    low, high = -1, 1

    def make(self) -> D4PGPolicy:
        return make(frame_stack=1)


class TestPolicyOverPixels(PolicyContract):
    low, high = -1, 1

    def make(self) -> D4PGPolicy:
        return make("pixels")


def test_rows_explore_along_the_ladder_and_judged_ones_do_not():
    changes = {"frame_stack": 1, "noise": 0.01, "noise_ladder": 4.0}
    judged = make(role=Role(evaluation=True), **changes)
    observation, seeds = observe(judged, 2), [tf.constant([3, t]) for t in range(400)]
    best, again = (judged.step(observation, {}, seed)[0] for seed in seeds[:2])
    np.testing.assert_array_equal(best, again)
    drawing = make(role=Role(rows=range(1, 3), total_rows=3), **changes)
    noise = [drawing.step(observation, {}, seed)[0] - best for seed in seeds]
    spread = np.sqrt(np.mean(np.square(noise), axis=(0, 2)))
    np.testing.assert_allclose(spread, [0.02, 0.04], rtol=0.15)  # Six standard errors.


@pytest.mark.parametrize(
    ("torso", "line"),
    [
        ("pixels", r"takes images uint8 \[height, width, channels\] of 7 pixels at least, got"),
        ("states", r"D4PG needs states, float32 \[n\], got observations uint8"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_in_one_line(torso: str, line: str):
    other = {"pixels": "states", "states": "pixels"}[torso]
    with pytest.raises(ValueError, match=line):
        D4PGBuilder(tiny.config(torso)).make_networks(tiny.spec(other), seed=0)
