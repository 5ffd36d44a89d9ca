"""Protects how acting and learning take turns, and what agents ask of an environment."""

from __future__ import annotations

import numpy as np
import pytest
from dm_env import specs

from agents.builder import Counters, Schedule, unit_actions


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        (Schedule(seed_episodes=2, updates_per_episode=3), [0, 0, 3, 6, 9]),
        (Schedule(seed_episodes=0, updates_per_episode=3), [3, 6, 9, 12, 15]),
        (Schedule(seed_episodes=2, updates_per_step=0.25), [0, 0, 5, 7, 10]),
        (Schedule(seed_episodes=0, updates_per_step=0.25), [0, 2, 5, 7, 10]),
        (
            Schedule(seed_episodes=2, updates_per_episode=3, updates_per_step=0.25),
            [0, 0, 8, 13, 19],
        ),
    ],
)
def test_updates_follow_episodes_and_steps_and_wait_for_the_seed(schedule, due):
    counts = [Counters(steps=10 * episodes, episodes=episodes) for episodes in range(5)]
    assert [schedule.updates_due(done) for done in counts] == due
    done = counts[-1]._replace(updates=due[-1] - 1)
    assert schedule.updates_due(done) == 1


def test_seed_steps_are_not_made_up_for():
    schedule = Schedule(rollout=4, seed_steps=20, updates_per_step=0.5)
    assert [schedule.updates_due(Counters(steps=steps)) for steps in (0, 16, 20, 24, 28)] == [
        0,
        0,
        0,
        2,
        4,
    ]
    assert schedule.seeding(Counters(steps=19)) and not schedule.seeding(Counters(steps=20))


def test_rounds_are_learned_from_one_by_one():
    schedule = Schedule(rollout=4, updates_per_round=3)
    assert schedule.updates_due(Counters(rounds=2, updates=5)) == 1
    assert schedule.updates_due(Counters()) == 0


def test_an_update_takes_its_rollouts_from_a_queue():
    schedule = Schedule(rollout=4, rollouts_per_update=8)
    due = [schedule.updates_due(Counters(rollouts=count)) for count in (0, 6, 12, 18, 24)]
    assert due == [0, 0, 1, 2, 3]


@pytest.mark.parametrize(
    ("schedule", "before", "after"),
    [
        (Schedule(max_updates=5), Counters(updates=4), Counters(updates=5)),
        (Schedule(max_episodes=3), Counters(episodes=2), Counters(episodes=4)),
        (Schedule(max_rounds=1), Counters(), Counters(rounds=1)),
    ],
)
def test_a_stage_ends_at_its_limit_and_one_without_never_does(schedule, before, after):
    assert not schedule.over(before) and schedule.over(after)
    assert not Schedule().over(Counters(10**9, 10**9, 10**9, 10**9))


def test_no_more_updates_are_due_than_a_stage_may_do():
    schedule = Schedule(updates_per_round=10, max_updates=25)
    assert schedule.updates_due(Counters(rounds=3, updates=20)) == 5


def test_updates_at_the_end_wait_for_the_last_round():
    schedule = Schedule(rollout=4, max_rounds=3, updates_per_round=2, updates_at_end=10)
    due = [schedule.updates_due(Counters(rounds=rounds)) for rounds in range(4)]
    assert due == [0, 2, 4, 6 + 10]
    assert schedule.over(Counters(rounds=3)) and schedule.updates_due(Counters(0, 0, 16, 3)) == 0


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
