"""Protects rollouts: what stands in each row, across episodes, and how a resume takes them up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dm_env
import numpy as np
import pytest
import tensorflow as tf
from acme import specs as acme_specs
from dm_env import specs
from reverb import Table

from agents.actor import Step
from agents.builder import DatasetOptions
from agents.rollouts import RolloutAdder, Rollouts, final_rows, signature
from pipelines.replay.adders import StepAdder
from pipelines.replay.datasets import make_waiting_dataset
from pipelines.replay.server import Replay

LENGTH = 4
OPTIONS = DatasetOptions("rollouts", None, sample_type=Rollouts, queue=True)
SPEC = acme_specs.EnvironmentSpec(
    observations=specs.Array([1], np.float32, "state"),
    actions=specs.DiscreteArray(1000),
    rewards=specs.Array([], np.float32),
    discounts=specs.BoundedArray([], np.float32, 0, 1),
)


def adder(replay: Replay) -> RolloutAdder:
    return RolloutAdder(replay.client.trajectory_writer(1), "rollouts", LENGTH)


@pytest.fixture
def replay():
    item = signature(SPEC, LENGTH, {"log_prob": tf.TensorSpec([], tf.float32)})
    replay = Replay([Table.queue("rollouts", 100, signature=item)])
    yield replay
    replay.close()


class Playing:
    """Episodes of those lengths, one behind the other; everything in a row tells its number."""

    def __init__(self, adder: Any, lengths: Sequence[int]) -> None:
        self.adder, self.rows = adder, []
        for length in lengths:
            self.rows += [(t, length) for t in range(length + 1)]
        self.next = 0
        self.first: dm_env.TimeStep | None = None
        self.steps: list[Step] = []

    def play(self, count: int) -> None:
        for _ in range(count):
            t, length = self.rows[self.next]
            seen = np.float32([100 + self.next])
            if t == 0:
                self.first, self.steps = dm_env.restart(seen), []
                self.adder.add_first(self.first)
            else:
                kind = dm_env.StepType.LAST if t == length else dm_env.StepType.MID
                discount = np.float32(0.0 if t == length else 0.9)
                timestep = dm_env.TimeStep(kind, np.float32(self.next - 1), discount, seen)
                log_prob = {"log_prob": np.float32(-self.next + 1)}
                self.steps.append(Step(np.int32(self.next - 1), log_prob, timestep))
                self.adder.add(*self._arguments(self.steps[-1]))
            self.next += 1

    def _arguments(self, step: Step) -> tuple[Any, ...]:
        return step.action, step.timestep, step.extras


def rollouts(replay: Replay) -> Rollouts:
    return next(iter(make_waiting_dataset(replay.client, OPTIONS)))


def test_rows_tell_what_was_done_in_them_and_what_came_of_it(replay):
    playing = Playing(adder(replay), [2, 9])
    playing.play(1 + LENGTH)
    playing.adder.write()
    playing.adder.flush()
    found = rollouts(replay)
    assert found.observation[0, :, 0].numpy().tolist() == [100, 101, 102, 103, 104]
    assert found.action[0].numpy().tolist() == [0, 1, 0, 3], "none in the row of an end"
    assert found.reward[0].numpy().tolist() == [0, 1, 0, 3]
    np.testing.assert_allclose(found.discount[0], [0.9, 0, 0, 0.9])
    assert found.extras["log_prob"][0].numpy().tolist() == [0, -1, 0, -3]
    assert found.start_of_episode[0].numpy().tolist() == [True, False, False, True, False]
    assert final_rows(found)[0].numpy().tolist() == [False, False, True, False]


def test_a_rollouts_last_row_is_the_next_ones_first(replay):
    playing = Playing(adder(replay), [3, 3, 3, 3])
    playing.play(1)
    for _ in range(3):
        playing.play(LENGTH)
        playing.adder.write()
    playing.adder.flush()
    found = rollouts(replay)
    assert found.observation.shape == (3, LENGTH + 1, 1)
    np.testing.assert_array_equal(found.observation[1:, 0], found.observation[:-1, -1])
    seen = [0, *np.concatenate(found.observation[:, 1:, 0].numpy() - 100).tolist()]
    assert seen == list(range(13))


def test_rollouts_of_one_writer_come_in_the_order_they_were_written_in(replay):
    writer = replay.client.trajectory_writer(1)
    adders = [RolloutAdder(writer, "rollouts", LENGTH) for _ in range(5)]
    players = [Playing(adder, [9 + i, 30]) for i, adder in enumerate(adders)]
    for i, player in enumerate(players):
        player.next = 2 * i
        player.adder.add_first(dm_env.restart(np.float32([-i])))
        player.next += 1
    for _ in range(2):
        for player in players:
            player.play(LENGTH)
        for adder in adders:
            adder.write()
        for adder in adders:
            adder.flush()
    found = rollouts(replay).observation[..., 0].numpy()
    expected = [range(101 + 2 * i + k, 105 + 2 * i + k) for k in (0, 4) for i in range(5)]
    np.testing.assert_array_equal(found[:, 1:], np.array(expected))


def test_a_rollout_that_lacks_rows_is_not_written(replay):
    playing = Playing(adder(replay), [9])
    playing.play(LENGTH)
    with pytest.raises(ValueError, match=r"^4 rows are no rollout, expected 5$"):
        playing.adder.write()


@pytest.mark.parametrize("rows", [1, 2, 4, 5, 6])
def test_a_resume_goes_on_with_the_row_it_stopped_at(replay, rows):
    """`rows` of the episode in progress are known when the run goes on."""
    playing = Playing(adder(replay), [3, 5, 5])
    playing.play(4 + rows)
    playing.adder = StepAdder(lambda: adder(replay), replay.client)
    playing.adder.rehearse(playing.first, playing.steps)
    playing.play(LENGTH)
    playing.adder.write()
    playing.adder.flush()
    found = rollouts(replay)
    expected = np.arange(4 + rows - 1, 4 + rows + LENGTH) + 100
    np.testing.assert_array_equal(found.observation[0, :, 0], expected)
