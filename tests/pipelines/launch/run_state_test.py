"""Protects a run's counters, and which of its evaluations is the best."""

from __future__ import annotations

from agents.builder import Counters, Schedule
from pipelines.launch.run_state import RunState


def test_counts_that_had_another_measure_neither_owe_updates_nor_hold_them_back():
    """As of a queue: of four collectors a round was four times as much as of one."""
    schedule = Schedule(rollout=5, updates_per_round=1)
    state = RunState(step=400, episodes=9, updates=40, rounds=10)
    state.count_from_here()
    assert state.of_stage() == Counters()
    assert schedule.updates_due(state.of_stage()) == 0
    state.rounds += 1
    assert schedule.updates_due(state.of_stage()) == 1
    assert RunState(**state.as_dict()).of_stage() == state.of_stage()
    assert state.counters()["updates"] == 40, "what a run reports goes on"


def test_of_equal_evaluations_the_later_one_is_best():
    """A saturated one says no more; who has learned longer is then the better guess."""
    state = RunState()
    best = [state.record_evaluation({"mean": mean}, at=i) for i, mean in enumerate([0, 1, 1, 0.5])]
    assert best == [True, True, True, False]
