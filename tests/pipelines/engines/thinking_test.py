"""A search in the background answers when it has to, once, with the last whole result."""

from __future__ import annotations

import threading

import pytest

from pipelines.engines.clock import CanadianClock, limits
from pipelines.engines.thinking import Limits, Thinking, growing


class Searches:
    """Sizes up to `free` are done at once; larger ones take until they are let go."""

    def __init__(self, free: int) -> None:
        self.free, self.begun = free, threading.Event()
        self.let_go, self.answers, self.found = threading.Event(), [], []

    def __call__(self, count: int, going_on) -> int | None:
        if count > self.free:
            self.begun.set()
            assert self.let_go.wait(60)
        return count

    def think(self, counts, limits: Limits) -> Thinking:
        return Thinking(self, counts, limits, self.found.append, self.answer)

    def answer(self, found: int | None, error: Exception | None) -> None:
        assert error is None
        self.answers.append(found)


def test_a_stop_does_not_wait_for_the_search_that_runs():
    searches = Searches(free=4)
    thinking = searches.think([1, 4, 16], Limits(until_stopped=True))
    assert searches.begun.wait(60)
    thinking.stop()
    assert searches.answers == [4] and searches.found == [1, 4]
    searches.let_go.set()
    thinking.close()
    assert searches.answers == [4] and searches.found == [1, 4], "what came late is not told"


def test_a_search_in_slices_ends_with_the_next_one_after_a_stop():
    slices, begun = [], threading.Event()

    def deepen(count: int, going_on) -> int | None:
        while count > 4:
            slices.append(count)
            begun.set()
            if not going_on():
                return None
        return count

    answers = []
    limits = Limits(until_stopped=True)
    thinking = Thinking(deepen, [4, 16, 64], limits, on_answer=lambda *a: answers.append(a))
    assert begun.wait(60)
    thinking.close()
    assert answers == [(4, None)] and set(slices) == {16}, "nor does a larger one begin"


def test_a_stop_before_any_result_answers_with_none():
    searches = Searches(free=0)
    thinking = searches.think([1], Limits(until_stopped=True))
    assert searches.begun.wait(60)
    thinking.stop()
    assert searches.answers == [None]
    searches.let_go.set()
    thinking.close()


def test_the_hard_limit_does_not_wait_either():
    searches = Searches(free=4)
    thinking = searches.think([1, 4, 16], Limits(hard=0.2))
    assert thinking.wait() == 4 and searches.answers == [4]
    searches.let_go.set()
    thinking.close()


def test_without_limits_it_ends_with_the_last_search():
    searches = Searches(free=100)
    assert searches.think(growing(64), Limits()).wait() == 64
    assert searches.found == [1, 4, 16, 64] and searches.answers == [64]


def test_until_stopped_it_keeps_its_answer():
    searches = Searches(free=100)
    thinking = searches.think([1, 4], Limits(until_stopped=True))
    thinking._worker.join()
    assert not searches.answers
    thinking.limit(Limits(soft=1, hard=1))  # As a ponderhit does.
    assert thinking.wait() == 4 and searches.answers == [4]


def test_no_search_begins_that_would_be_late():
    searches = Searches(free=100)
    assert searches.think([1, 4, 16], Limits(soft=0.0)).wait() == 1


def test_a_failing_search_is_told():
    def fail(count, going_on):
        raise ValueError("no")

    thinking = Thinking(fail, [1], Limits())
    assert thinking.wait() is None and str(thinking.error) == "no"


@pytest.mark.parametrize(
    ("most", "counts"), [(1, [1]), (2, [1, 2]), (4, [1, 4]), (100, [1, 6, 25, 100])]
)
def test_searches_grow_to_the_most(most, counts):
    assert growing(most) == counts


def test_no_limit_is_behind_the_clock():
    for remaining in (0.0, 0.01, 0.5, 5.0, 300.0):
        for increment in (0.0, 2.0):
            for moves in (None, 1, 40):
                found = limits(remaining, increment, moves)
                assert 0 <= found.soft <= found.hard <= max(remaining - 0.05, 0)
    assert limits(60).soft < 3 < limits(60, increment=10).soft


def test_periods_follow_the_main_time():
    clock = CanadianClock(main=0, period=30, stones=3)
    assert clock.limits(100).soft < 10
    for _ in range(3):
        clock.limits(100)
        clock.moved()
    assert clock.limits(100).soft > 9, "a new period has begun"
    main = CanadianClock(main=300, period=30, stones=3)
    assert main.limits(100).soft < 3
    main.set(2.0, 1)
    assert main.limits(100).hard < 2
