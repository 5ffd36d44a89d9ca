"""Protects how acting and learning take turns."""

from __future__ import annotations

import pytest

from agents.builder import Schedule


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
