"""Protects sequences: which rows they hold, which are learned from, what fills them up."""

from __future__ import annotations

import dm_env
import numpy as np
import pytest
import tensorflow as tf
from acme import specs as acme_specs
from dm_env import specs

from agents.rollouts import STATE, Rollouts, final_rows, signature
from agents.sequences import SequenceAdder
from agents.tables import make_table
from pipelines.replay.server import Replay

SPEC = acme_specs.EnvironmentSpec(
    observations=specs.Array([1], np.float32, "state"),
    actions=specs.DiscreteArray(100),
    rewards=specs.Array([], np.float32),
    discounts=specs.BoundedArray([], np.float32, 0, 1),
)


def written(num_actions: int, length: int, burn_in: int, period: int) -> list[Rollouts]:
    """Items of an episode whose row t shows 10 + t, and is acted in by t, remembering 100 + t."""
    memory = {STATE: {"hidden": tf.TensorSpec([], tf.float32)}}
    table = make_table(
        "s", signature(SPEC, length, memory), 100, sampler="fifo", max_times_sampled=1
    )
    replay = Replay([table])
    adder = SequenceAdder(replay.client, "s", length, burn_in, period)
    adder.add_first(dm_env.restart(np.float32([10])))
    for t in range(num_actions):
        last = t == num_actions - 1
        kind = dm_env.StepType.LAST if last else dm_env.StepType.MID
        step = dm_env.TimeStep(kind, np.float32(t), np.float32(0.5), np.float32([11 + t]))
        adder.add(np.int32(t), step, {STATE: {"hidden": np.float32(100 + t)}})
    adder.flush()
    count = replay.size("s")
    samples = replay.client.sample_items("s", count) if count else []
    replay.close()
    return [Rollouts(**sample.data._asdict()) for sample in samples]


def test_several_tables_get_the_same_items():
    tables = [make_table(n, signature(SPEC, 2, {}), 100, sampler="fifo") for n in ("s", "t")]
    replay = Replay(tables)
    adder = SequenceAdder(replay.client, ["s", "t"], length=2, burn_in=0, period=1)
    adder.add_first(dm_env.restart(np.float32([10])))
    for t in range(3):
        adder.add(np.int32(t), dm_env.transition(np.float32(t), np.float32([11 + t])))
    adder.flush()
    assert (replay.size("s"), replay.size("t")) == (2, 2)
    one, other = (replay.client.sample_items(name)[0].data for name in ("s", "t"))
    np.testing.assert_array_equal(one.observation, other.observation)
    replay.close()


def test_the_rows_are_those_of_the_picture():
    one, two = written(num_actions=4, length=4, burn_in=1, period=2)
    assert one.observation[:, 0].tolist() == [0, 10, 11, 12, 13]
    assert two.observation[:, 0].tolist() == [11, 12, 13, 14, 0]
    assert (one.action.tolist(), two.action.tolist()) == ([0, 0, 1, 2], [1, 2, 3, 0])
    assert (one.reward.tolist(), two.reward.tolist()) == ([0, 0, 1, 2], [1, 2, 3, 0])
    assert two.discount.tolist() == [0.5, 0.5, 0.5, 0]
    assert one.start_of_episode.tolist() == [True, True, False, False, False]
    assert two.start_of_episode.tolist() == [False, False, False, False, True]
    assert (one.state["hidden"], two.state["hidden"]) == (0, 101)


@pytest.mark.parametrize("num_actions", [1, 2, 7, 8, 9, 30])
@pytest.mark.parametrize(("length", "burn_in", "period"), [(6, 2, 3), (5, 0, 5), (8, 3, 1)])
def test_every_action_is_learned_from(num_actions: int, length: int, burn_in: int, period: int):
    items, seen, ends = written(num_actions, length, burn_in, period), [], []
    for item in items:
        acted = ~item.start_of_episode[1:]
        assert np.array_equal(~acted, final_rows(tf.nest.map_structure(lambda x: x[None], item))[0])
        seen += item.action[burn_in:][acted[burn_in:]].tolist()
        ends.append(acted[burn_in:].any())
    assert set(seen) == set(range(num_actions))
    assert all(ends), "no item that nothing is learned from"
