"""Protects how acting and learning take turns, and what agents ask of an environment."""

from __future__ import annotations

import numpy as np
import pytest
from dm_env import specs

from agents.builder import Schedule, unit_actions


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        (Schedule(2, updates_per_episode=3), [0, 0, 3, 6, 9]),
        (Schedule(0, updates_per_episode=3), [3, 6, 9, 12, 15]),
        (Schedule(2, updates_per_step=0.25), [0, 0, 5, 7, 10]),
        (Schedule(0, updates_per_step=0.25), [0, 2, 5, 7, 10]),
        (Schedule(2, updates_per_episode=3, updates_per_step=0.25), [0, 0, 8, 13, 19]),
    ],
)
def test_updates_follow_episodes_and_steps_and_wait_for_the_seed(schedule, due):
    assert [schedule.updates_due(episodes, 10 * episodes) for episodes in range(5)] == due


INF = float("inf")


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (-2.0, 2.0, r"X needs actions in \[−1, 1\], got one in \[-2, 2\]"),
        ([-1.0, 0.0], 1.0, r"X needs actions in \[−1, 1\], got one in \[0, 1\]"),
        (-INF, INF, r"X needs actions in \[−1, 1\], got one in \[-inf, inf\]"),
    ],
)
def test_actions_beyond_or_short_of_the_unit_box_are_refused(low, high, message: str):
    with pytest.raises(ValueError, match=f"^{message}$"):
        unit_actions(specs.BoundedArray((2,), np.float32, low, high), "X")


def test_actions_that_are_no_vector_of_numbers_are_refused():
    for spec in (
        specs.DiscreteArray(3),
        specs.Array((2,), np.float32),
        specs.BoundedArray((), np.float32, -1, 1),
    ):
        with pytest.raises(ValueError, match=r"^X needs continuous bounded actions, got "):
            unit_actions(spec, "X")
    fits = specs.BoundedArray((2,), np.float32, -1, 1)
    assert unit_actions(fits, "X") is fits
