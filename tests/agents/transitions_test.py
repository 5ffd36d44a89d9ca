"""Protects what off-policy agents store: alignment, stacks at a start, ends, cuts, resumes."""

from __future__ import annotations

from collections.abc import Sequence

import dm_env
import numpy as np
import pytest
from acme import specs as acme_specs
from dm_env import specs

from agents.builder import DatasetOptions
from agents.tables import make_table
from agents.transitions import TransitionAdder, Transitions, signature
from pipelines.replay.server import Replay

SPEC = acme_specs.EnvironmentSpec(
    observations=specs.Array([1], np.float32, "state"),
    actions=specs.DiscreteArray(100),
    rewards=specs.Array([], np.float32),
    discounts=specs.BoundedArray([], np.float32, 0, 1),
)


def written(frame_stack: int, n_step: int, length: int, last_discount: float) -> list[Transitions]:
    """Items of an episode whose observation t is t + 1, action t, and reward 10 + t."""
    item = signature(SPEC, frame_stack, n_step)
    replay = Replay([make_table("t", item, 100, sampler="fifo", max_times_sampled=1)])
    adder = TransitionAdder(replay.client, "t", frame_stack, n_step)
    observe = lambda t: np.float32([t + 1])  # noqa: E731
    adder.add_first(dm_env.restart(observe(0)))
    for t in range(length):
        last = t == length - 1
        step = dm_env.StepType.LAST if last else dm_env.StepType.MID
        discount = np.float32(last_discount if last else 0.5)
        adder.add(np.int32(t), dm_env.TimeStep(step, np.float32(10 + t), discount, observe(t + 1)))
    adder.flush()
    count = replay.size("t")
    samples = replay.client.sample_items("t", count) if count else []
    replay.close()
    return [Transitions(*sample.data) for sample in samples]


def column(items: Sequence[Transitions], name: str) -> list:
    return [np.asarray(getattr(item, name)).tolist() for item in items]


def test_a_transition_holds_both_stacks_and_zeros_before_the_start():
    items = written(frame_stack=3, n_step=1, length=3, last_discount=0.0)
    seen = [[row[0] for row in item] for item in column(items, "observations")]
    assert seen == [[0, 0, 1, 2], [0, 1, 2, 3], [1, 2, 3, 4]]
    assert column(items, "action") == [0, 1, 2]
    assert column(items, "rewards") == [[10], [11], [12]]
    assert column(items, "discounts") == [[0.5], [0.5], [0.0]]


def test_behind_an_end_there_are_zeros():
    items = written(frame_stack=1, n_step=3, length=4, last_discount=0.0)
    assert column(items, "action") == [0, 1, 2, 3]
    assert column(items, "rewards")[1:] == [[11, 12, 13], [12, 13, 0], [13, 0, 0]]
    assert column(items, "discounts")[1:] == [[0.5, 0.5, 0], [0.5, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("length", [1, 2])
def test_an_episode_shorter_than_n_is_kept_where_it_is_over(length: int):
    items = written(frame_stack=2, n_step=3, length=length, last_discount=0.0)
    assert column(items, "action") == list(range(length))


def test_of_an_episode_that_was_cut_only_what_n_steps_follow_is_kept():
    items = written(frame_stack=1, n_step=3, length=4, last_discount=1.0)
    assert column(items, "action") == [0, 1]
    assert column(items, "discounts") == [[0.5, 0.5, 0.5], [0.5, 0.5, 1.0]]


def test_the_items_are_a_dataset_of_their_own_type():
    options = DatasetOptions("t", 4, sample_type=Transitions)
    assert options.sample_type._fields == tuple(signature(SPEC, 1, 1)._fields)
