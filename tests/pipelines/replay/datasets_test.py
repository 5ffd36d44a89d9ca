from __future__ import annotations

import gc
import math
import os
import pathlib
import threading
import time
from typing import Any, NamedTuple

import numpy as np
import pytest
import reverb
import tensorflow as tf

from agents.builder import DatasetOptions
from agents.transform import Transform
from agents.types import Sample, Trajectory
from pipelines.replay import datasets
from pipelines.replay.client import Client
from pipelines.replay.datasets import TimedIterator, make_dataset, make_waiting_dataset
from pipelines.replay.server import Replay
from pipelines.system.errors import Interrupted, UserError
from tests.pipelines import episodes

B, T = 4, episodes.T


def options(batch_size: int | None = B, **more) -> DatasetOptions:
    return DatasetOptions(episodes.TABLE, batch_size, **more)


class Applied(Transform):
    """A transform that applies a function to the batch and the update's number."""

    def __init__(self, function) -> None:
        super().__init__()
        self._function = function

    def __call__(self, batch, update):
        assert not tf.executing_eagerly()
        return self._function(batch, update)


@pytest.fixture
def replay():
    replay = Replay([episodes.table()])
    episodes.add_episode(episodes.buffer(replay.client), actions=30)
    yield replay
    replay.close()


def test_batches_are_trajectories_with_static_shapes_and_the_tables_types(replay):
    dataset = make_dataset(replay.address, options())
    expected = Trajectory(
        observation=tf.TensorSpec((B, T, *episodes.SHAPE), tf.uint8),
        action=tf.TensorSpec((B, T, 2), tf.float32),
        reward=tf.TensorSpec((B, T), tf.float32),
        discount=tf.TensorSpec((B, T), tf.float32),
        start_of_episode=tf.TensorSpec((B, T), tf.bool),
    )
    assert dataset.element_spec == expected
    batch = next(iter(dataset))
    assert tf.nest.map_structure(tf.TensorSpec.from_tensor, batch) == expected


def test_a_batch_keeps_observation_action_and_reward_of_a_step_together(replay):
    for batch in make_dataset(replay.address, options()).take(5):
        frame = tf.cast(batch.observation[..., 0, 0, 0], tf.float32)
        meant = batch.reward > 0  # Else the episode's end and padding.
        tf.debugging.assert_equal(batch.action[..., 0][meant], frame[meant])
        tf.debugging.assert_equal(batch.reward[meant], frame[meant] + 1)
        assert tf.reduce_sum(tf.cast(meant, tf.int32)) > B


def test_a_transform_is_applied_to_each_batch_and_told_its_update(replay):
    def function(batch: Trajectory, update: tf.Tensor) -> Trajectory:
        return batch._replace(extras=tf.fill([B], update))

    for asked in ({}, {"count": 3}):
        dataset = make_dataset(
            replay.address, options(), transform=Applied(function), first_update=7, **asked
        )
        numbers = [batch.extras.numpy().tolist() for batch in dataset.take(3)]
        assert numbers == [[7] * B, [8] * B, [9] * B]


def test_no_more_batches_are_transformed_than_were_asked_for(replay):
    calls = tf.Variable(0)

    def function(batch: Trajectory, update: tf.Tensor) -> Trajectory:
        calls.assign_add(1)
        return batch

    dataset = make_dataset(replay.address, options(), transform=Applied(function), count=3)
    assert len(list(dataset)) == 3
    assert int(calls) == 3


def test_items_are_the_agents_own_named_tuple_by_the_fields_names(replay):
    class Shuffled(NamedTuple):
        discount: Any
        reward: Any
        extras: Any
        observation: Any
        start_of_episode: Any
        action: Any

    batch = next(iter(make_dataset(replay.address, options(sample_type=Shuffled))))
    assert isinstance(batch, Shuffled)
    assert batch.observation.dtype == tf.uint8 and batch.action.shape == (B, T, 2)


def test_fields_that_an_agent_does_not_know_are_named(replay):
    class Other(NamedTuple):
        observation: Any
        value: Any

    with pytest.raises(
        ValueError, match=r"fields observation, action.*Other has observation, value"
    ):
        make_dataset(replay.address, options(sample_type=Other))


@pytest.fixture
def uneven():
    """Three items of which each has two observations and three rewards; priorities 1, 2 and 5."""
    replay = Replay([episodes.uneven_table(sampler="prioritized", priority_exponent=1.0)])
    episodes.add_uneven(replay.client, priorities=(1, 2, 5))
    yield replay
    replay.close()


def test_samples_tell_how_likely_each_item_was_and_by_which_key(uneven):
    dataset = make_dataset(uneven.address, options(8, prioritized=True))
    probabilities = {}
    for sample in dataset.take(8):
        assert (sample.key.dtype, sample.probability.dtype) == (tf.uint64, tf.float64)
        np.testing.assert_array_equal(sample.table_size, [3] * 8)
        first = sample.trajectory.reward[:, 0].numpy()
        probabilities.update(zip(first, sample.probability.numpy(), strict=True))
        keys = dict(zip(first, sample.key.numpy(), strict=True))
        assert len(set(keys.values())) == len(keys)
    expected = {0.0: 1 / 8, 10.0: 2 / 8, 20.0: 5 / 8}
    assert probabilities == {value: pytest.approx(expected[value]) for value in probabilities}
    assert len(probabilities) > 1


def test_a_transform_of_samples_takes_and_gives_them(uneven):
    def function(sample: Sample, update: tf.Tensor) -> Sample:
        fresh = tf.cast(sample.probability, tf.float32)
        return sample._replace(trajectory=sample.trajectory._replace(extras=fresh))

    dataset = make_dataset(
        uneven.address, options(2, prioritized=True), transform=Applied(function)
    )
    sample = next(iter(dataset))
    assert isinstance(sample, Sample)
    np.testing.assert_allclose(sample.trajectory.extras, sample.probability)


def test_leaves_of_an_item_may_differ_in_length(uneven):
    batch = next(iter(make_dataset(uneven.address, options())))
    assert (batch.observation.shape, batch.reward.shape) == ((B, 2, 1), (B, 3))
    np.testing.assert_array_equal(batch.reward, batch.reward[:, :1] + [[0, 1, 2]])
    np.testing.assert_array_equal(batch.observation[..., 0], batch.reward[:, :2])


def test_first_in_first_out_tables_are_read_in_order_however_many_workers_are_asked_for():
    replay = Replay([episodes.table(sampler="fifo", max_times_sampled=1)])
    buffer = episodes.buffer(replay.client)
    for value in range(0, 120, 5):
        episodes.add_episode(buffer, actions=4, value=value)
    dataset = make_dataset(replay.address, options(), num_workers=8, count=6)
    firsts = [batch.observation[:, 0, 0, 0, 0].numpy() for batch in dataset]
    np.testing.assert_array_equal(np.concatenate(firsts), range(0, 120, 5))
    replay.close()


def test_each_item_of_a_queue_is_read_once_and_none_before_it_is_asked_for():
    replay = Replay([episodes.table(sampler="fifo", max_times_sampled=1)])
    buffer = episodes.buffer(replay.client)
    for value in range(0, 120, 5):
        episodes.add_episode(buffer, actions=4, value=value)
    elements = iter(make_waiting_dataset(replay.client, options(queue=True)))
    firsts = [next(elements).observation[:, 0, 0, 0, 0].numpy() for _ in range(2)]
    np.testing.assert_array_equal(np.concatenate(firsts), range(0, 40, 5))
    time.sleep(0.2)
    assert replay.size(episodes.TABLE) == 24 - 2 * B
    replay.close()


def test_a_whole_queue_is_what_came_since_it_was_read():
    replay = Replay([episodes.whole_table(sampler="fifo", max_times_sampled=1)])
    adder = episodes.whole_buffer(replay.client)
    elements = iter(make_waiting_dataset(replay.client, options(None, queue=True)))
    for values in ((10, 20), (30,), (40, 50, 60)):
        for value in values:
            episodes.add_episode(adder, actions=1, value=value)
        assert frames_of(next(elements)) == [v + t for v in values for t in (0, 1)]
        assert replay.size(episodes.TABLE) == 0
    replay.close()


def test_a_table_that_is_not_there_is_named_with_the_nearest(replay):
    with pytest.raises(UserError, match=r"has no table 'replya'; it has replay; did you mean"):
        make_dataset(replay.address, DatasetOptions("replya", B))


def test_the_report_tells_waiting_from_working(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def slow():
        for i in range(4):
            now[0] += 10
            yield i

    iterator = TimedIterator(slow())
    for _ in range(2):
        next(iterator)
        now[0] += 5
    assert iterator.report() == (20, 30, 20 / 30, 2)
    now[0] += 30
    assert iterator.report() == (0, 30, 0, 0)


def test_the_iterator_ends_with_the_dataset_and_passes_its_errors_on():
    assert [int(i) for i in TimedIterator(tf.data.Dataset.range(3))] == [0, 1, 2]
    broken = tf.data.Dataset.range(1).map(
        lambda i: tf.debugging.check_numerics(tf.math.log(-1.0 - tf.cast(i, tf.float32)), "nan")
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="nan"):
        next(TimedIterator(broken))


def test_a_stop_ends_the_wait_for_a_batch_that_no_server_sends():
    release = threading.Event()

    def blocked():
        release.wait()
        yield 0

    iterator = TimedIterator(blocked(), should_stop=lambda: True)
    with pytest.raises(Interrupted):
        next(iterator)
    release.set()


def test_a_stop_leaves_time_to_a_batch_whose_items_have_left_their_queue(replay):
    replay.client._should_stop = lambda: True
    release = threading.Event()

    def late():
        release.wait()
        yield 7

    with pytest.raises(Interrupted):
        next(TimedIterator(late(), replay.client))
    iterator = TimedIterator(late(), replay.client, grace=math.inf)
    threading.Timer(0.5, release.set).start()
    assert next(iterator) == 7


def test_a_late_batch_of_a_living_server_is_waited_for(replay, monkeypatch):
    replay.client.reset(episodes.TABLE)
    replay.client.timeout_s = 0.1
    iterator = TimedIterator(make_dataset(replay.address, options()), replay.client)
    writer = Client(replay.address)
    asked, ask = [], reverb.Client.server_info

    def late(client, timeout):
        asked.append(timeout)
        if len(asked) == 3:
            episodes.add_episode(episodes.buffer(writer), actions=30)
        return ask(client, timeout)

    monkeypatch.setattr(reverb.Client, "server_info", late)
    assert next(iterator).reward.shape == (B, T)
    assert len(asked) >= 3
    assert iterator.report().waited_seconds >= 0.3


def test_two_hundred_abandoned_iterators_leave_no_threads_and_no_memory(replay):
    dataset = make_dataset(replay.address, options())

    def abandon(count: int) -> None:
        for _ in range(count):
            next(TimedIterator(dataset.take(10), replay.client))
        gc.collect()

    abandon(30)  # TensorFlow's own pools and arenas grow at first.
    time.sleep(0.5)
    threads, memory = _threads(), _resident_mib()
    abandon(200)
    while _threads() > threads + 5:  # They end by themselves, or the test's time is over.
        time.sleep(0.05)
    # 200 iterators that each kept one prefetched batch of 4 x 5 frames would hold 1 MiB; kept
    # samplers, with their gRPC and thread state, far more.
    assert _resident_mib() <= memory + 24


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _resident_mib() -> float:
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def frames_of(element: Trajectory) -> list[int]:
    return element.observation.numpy()[:, 0, 0, 0].tolist()


def test_a_whole_table_comes_in_the_order_it_was_written_however_often(tmp_path):
    replay = Replay([episodes.whole_table()])
    adder = episodes.whole_buffer(replay.client)
    try:
        for value in (10, 20, 30):
            episodes.add_episode(adder, actions=2, value=value)
        elements = iter(make_waiting_dataset(replay.client, options(None)))
        expected = [10, 11, 12, 20, 21, 22, 30, 31, 32]
        assert [frames_of(next(elements)) for _ in range(3)] == [expected] * 3
        episodes.add_episode(adder, actions=1, value=40)
        element = next(elements)
        assert frames_of(element) == [*expected, 40, 41]
        np.testing.assert_array_equal(np.where(element.start_of_episode)[0], [0, 3, 6, 9])
        replay.save(tmp_path)
    finally:
        replay.close()
    restored = Replay([episodes.whole_table()], restore_from=tmp_path)
    try:
        element = next(iter(make_waiting_dataset(restored.client, options(None))))
        assert frames_of(element) == [*expected, 40, 41]
    finally:
        restored.close()


def test_a_whole_table_stands_still_for_a_period_whatever_is_written_meanwhile():
    replay = Replay([episodes.whole_table()])
    adder = episodes.whole_buffer(replay.client)
    try:
        episodes.add_episode(adder, actions=1, value=10)
        dataset = make_waiting_dataset(replay.client, options(None), first_update=1, period=3)
        elements, found = iter(dataset), []
        for value in (20, 30, 40):
            found.append(frames_of(next(elements)))  # Before updates 1, 2 and 3.
            episodes.add_episode(adder, actions=1, value=value)
        assert found == [[10, 11], [10, 11], [10, 11, 20, 21, 30, 31]]
    finally:
        replay.close()


def test_what_is_written_while_a_whole_table_is_read_keeps_its_place(monkeypatch):
    replay = Replay([episodes.whole_table()])
    adder = episodes.whole_buffer(replay.client)
    try:
        for value in (10, 20, 30):
            episodes.add_episode(adder, actions=1, value=value)
        elements = iter(make_waiting_dataset(replay.client, options(None)))
        sample_items, late = datasets.Client.sample_items, [40]

        def sample_and_write(*arguments):
            found = sample_items(*arguments)
            if late:
                episodes.add_episode(adder, actions=1, value=late.pop())
            return found

        monkeypatch.setattr(datasets.Client, "sample_items", sample_and_write)
        expected = [10, 11, 20, 21, 30, 31]
        assert frames_of(next(elements)) == expected
        assert [frames_of(next(elements)) for _ in range(2)] == [[*expected, 40, 41]] * 2
    finally:
        replay.close()
