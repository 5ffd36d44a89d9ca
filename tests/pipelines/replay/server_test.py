from __future__ import annotations

import os
import queue
import shutil
import signal
import socket
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import reverb
import tensorflow as tf

from agents.builder import DatasetOptions
from pipelines.replay.client import Client, started
from pipelines.replay.datasets import TimedIterator, make_dataset, make_waiting_dataset
from pipelines.replay.server import Replay
from pipelines.system.errors import Interrupted, UserError
from tests.pipelines import episodes

TFRECORDS = ["items.tfrecord", "tables.tfrecord"]


@pytest.fixture
def asked(monkeypatch):
    """The limits, in seconds, of each question whether a server lives."""
    limits, ask = [], reverb.Client.server_info

    def noting(client, timeout):
        limits.append(timeout)
        return ask(client, timeout)

    monkeypatch.setattr(reverb.Client, "server_info", noting)
    return limits


@pytest.fixture
def replay():
    replay = Replay([episodes.table(sampler="fifo", max_times_sampled=1)])
    yield replay
    replay.close()


def test_priorities_are_written_by_key_and_items_that_left_are_passed_over():
    table = episodes.uneven_table(max_size=2, sampler="prioritized", priority_exponent=1.0)
    replay = Replay([table])
    episodes.add_uneven(replay.client, priorities=[1.0])
    gone = replay.client.sample_items(episodes.TABLE)[0].info.key
    episodes.add_uneven(replay.client, priorities=[0.0, 1.0])
    kept = replay.client.sample_items(episodes.TABLE)[0].info.key
    keys = np.array([gone, kept], np.uint64)
    replay.client.update_priorities(episodes.TABLE, keys, tf.constant([9.0, 2.5]))
    (item,) = replay.client.sample_items(episodes.TABLE)
    assert (item.info.key, item.info.priority) == (kept, 2.5)
    assert replay.size(episodes.TABLE) == 2
    replay.close()


def test_a_restored_table_continues_as_the_saved_one_would(tmp_path):
    table = {"sampler": "fifo", "max_times_sampled": 3}
    replay = Replay([episodes.table(**table)], tmp_path / "one")
    buffer = episodes.buffer(replay.client, period=2)
    for value in (0, 20, 40):
        episodes.add_episode(buffer, actions=9, value=value)
    replay.client.sample_items(episodes.TABLE, 4)  # One item gone, one sampled once.
    replay.save(tmp_path / "saved")
    count = replay.size(episodes.TABLE)
    for _ in range(2):  # Reverb drops its own older checkpoints.
        replay.client.checkpoint()
    shutil.rmtree(tmp_path / "one")

    restored = Replay([episodes.table(**table)], tmp_path / "two", restore_from=tmp_path / "saved")
    assert restored.size(episodes.TABLE) == count
    before, after = (r.client.server_info()[episodes.TABLE] for r in (replay, restored))
    assert before.rate_limiter_info == after.rate_limiter_info
    draws = [r.client.sample_items(episodes.TABLE, 3 * count - 1) for r in (replay, restored)]
    for expected, got in zip(*draws, strict=True):
        assert expected.info == got.info
        tf.nest.map_structure(np.testing.assert_array_equal, expected.data, got.data)
    assert replay.size(episodes.TABLE) == restored.size(episodes.TABLE) == 0
    replay.close()
    restored.close()


def test_a_new_server_does_not_load_what_an_earlier_run_left_in_its_folder(tmp_path):
    replay = Replay([episodes.table()], tmp_path)
    episodes.add_episode(episodes.buffer(replay.client), actions=9)
    replay.client.checkpoint()
    replay.close()
    fresh = Replay([episodes.table()], tmp_path)
    assert fresh.size(episodes.TABLE) == 0
    fresh.close()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^cannot write .*/file/replay: Not a directory$"):
        Replay([episodes.table()], tmp_path / "file" / "replay")


def test_restoring_from_nothing_or_into_other_tables_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"^no replay checkpoint in .*chunks.tfrecord is missing$"):
        Replay([episodes.table()], restore_from=tmp_path / "nowhere")
    replay = Replay([episodes.table()])
    replay.save(tmp_path / "saved")
    replay.close()
    other = episodes.make_table("other", None, 10)
    with pytest.raises(UserError, match=r"^checkpoint .*: it has the tables replay, now other; "):
        Replay([other], restore_from=tmp_path / "saved")


def test_a_port_in_use_is_one_line_whoever_uses_it(replay):
    number = int(replay.address.rpartition(":")[2])
    with pytest.raises(UserError, match=rf"^replay port {number} is in use"):
        Replay([episodes.table()], port=number)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(UserError, match="is in use"),
    ):
        Replay([episodes.table()], port=listener.getsockname()[1])


def test_a_chosen_port_is_served_and_free_again_after_close():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
    for _ in range(2):
        replay = Replay([episodes.table()], port=number)
        assert replay.address == f"127.0.0.1:{number}"
        assert replay.size(episodes.TABLE) == 0
        replay.close()


@pytest.mark.parametrize("address", ["localhost", "localhost:", ":80", "host:port", "host:70000"])
def test_an_address_that_is_none_is_named(address):
    with pytest.raises(UserError, match=rf"^replay address is '{address}'; expected host:port"):
        Replay([episodes.table()], address=address)


def test_nobody_at_the_address_is_one_line_when_it_was_asked_once(asked):
    with pytest.raises(UserError, match=r"^no replay server answers at 127.0.0.1:1; expected one "):
        Replay([episodes.table()], address="127.0.0.1:1", timeout_s=1)
    assert asked == [1]


def limited() -> reverb.Table:
    """A table that takes two items before the first sample."""
    limits = {"samples_per_insert": 1.0, "error_buffer": 1.0, "min_size_to_sample": 1}
    return episodes.table(sampler="fifo", **limits)


def test_a_writer_held_up_by_the_rate_limiter_waits_as_long_as_the_server_lives(asked):
    replay = Replay([limited()], timeout_s=0.2)
    buffer = episodes.buffer(replay.client)
    for _ in range(2):
        episodes.add_episode(buffer, actions=4)
    writer = threading.Thread(target=episodes.add_episode, args=(buffer, 4), daemon=True)
    writer.start()
    while len(asked) < 3:
        assert writer.is_alive()
        time.sleep(0.05)
    replay.client.sample_items(episodes.TABLE, 1)
    writer.join()
    assert replay.size(episodes.TABLE) == 3
    replay.close()


def _third_episode(replay):
    buffer = episodes.buffer(replay.client)
    for _ in range(3):
        episodes.add_episode(buffer, actions=4)


BLOCKED_CALLS = {
    "write": _third_episode,
    "sample": lambda replay: replay.client.sample_items(episodes.TABLE),
    "iterate": lambda replay: next(
        TimedIterator(
            make_dataset(replay.address, DatasetOptions(episodes.TABLE, 2)), replay.client
        )
    ),
}


@pytest.mark.parametrize("call", BLOCKED_CALLS)
def test_a_wait_that_only_this_process_could_end_ends_with_the_stop_and_then_it_saves(
    tmp_path, call
):
    stop = threading.Event()
    replay = Replay([limited()], should_stop=stop.is_set)
    outcome = started(lambda: BLOCKED_CALLS[call](replay))
    with pytest.raises(queue.Empty):
        outcome(3.0)
    stop.set()
    assert isinstance(outcome(None)[1], Interrupted)
    del outcome  # With the adder, whose end must not wait for what is not confirmed.
    replay.save(tmp_path / "saved")
    assert sorted(os.listdir(tmp_path / "saved"))[1:] == ["chunks.tfrecord", *TFRECORDS]
    replay.close()


def test_a_stop_does_not_cut_a_call_that_ends_by_itself(replay):
    replay.client._should_stop = lambda: True
    episodes.add_episode(episodes.buffer(replay.client), actions=12)
    replay.client._should_stop = lambda: False
    assert replay.size(episodes.TABLE) == 3


def test_a_checkpoint_takes_as_long_as_it_takes_while_its_server_lives(tmp_path, asked):
    replay = Replay([episodes.table()], timeout_s=0.002)
    buffer, random = episodes.buffer(replay.client), np.random.RandomState(0)
    first, *rest = episodes.steps(2000)
    noise = random.randint(0, 256, (len(rest), *episodes.SHAPE)).astype(np.uint8)
    buffer.add_first(first)
    for timestep, frame in zip(rest, noise, strict=True):
        buffer.add(np.zeros(2, np.float32), timestep._replace(observation=frame))
    asked.clear()
    replay.save(tmp_path / "saved")
    assert len(asked) >= 2, "longer than two limits"
    replay.close()


def test_a_remote_server_without_the_table_is_named(replay):
    table = episodes.make_table("replays", None, 10)
    expected = r"has no table 'replays'; it has replay; did you mean 'replay'\?$"
    with pytest.raises(UserError, match=expected):
        Replay([table], address=replay.address)


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """A server in another process, and what runs hold of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
    with episodes.server_process(number) as process:
        yield SimpleNamespace(
            process=process,
            runs=[_run(number, tmp_path_factory.mktemp("run") / "saved") for _ in range(2)],
        )


def _run(port: int, saved):
    replay = Replay([episodes.table()], address=f"127.0.0.1:{port}", timeout_s=1)
    buffer = episodes.buffer(replay.client)
    episodes.add_episode(buffer, actions=30)
    replay.save(saved)
    iterator = TimedIterator(
        make_dataset(replay.address, DatasetOptions(episodes.TABLE, 2)), replay.client
    )
    next(iterator)
    return SimpleNamespace(
        replay=replay,
        buffer=buffer,
        iterator=iterator,
        table_iterator=TimedIterator(
            make_waiting_dataset(replay.client, DatasetOptions(episodes.TABLE, None)),
            replay.client,
        ),
        saved=saved,
        size=replay.size(episodes.TABLE),
    )


@pytest.fixture(scope="module", params=[signal.SIGSTOP, signal.SIGKILL], ids=["frozen", "dead"])
def lost(request, remote):
    """A run whose server, alive until now, no longer answers."""
    remote.process.send_signal(request.param)
    if request.param == signal.SIGSTOP:
        os.waitpid(remote.process.pid, os.WUNTRACED)  # The signal is taken some time later.
    else:
        remote.process.wait()
    yield remote.runs.pop()


def _read_all(lost):
    for _ in range(200):  # More than can be in flight.
        next(lost.iterator)


LOST_CALLS = {
    "size": lambda lost: lost.replay.size(episodes.TABLE),
    "insert": lambda lost: episodes.add_episode(lost.buffer, actions=6),
    "insert anew": lambda lost: episodes.add_episode(
        episodes.buffer(Client(lost.replay.address, timeout_s=1)), actions=6
    ),
    "write priorities": lambda lost: lost.replay.client.update_priorities(
        episodes.TABLE, np.uint64([1]), [2.0]
    ),
    "sample": lambda lost: lost.replay.client.sample_items(episodes.TABLE),
    "iterate": _read_all,
    "iterate over the table": lambda lost: next(lost.table_iterator),
    "make a dataset": lambda lost: make_dataset(
        lost.replay.address, DatasetOptions(episodes.TABLE, 2), timeout_s=1
    ),
    "save": lambda lost: lost.replay.save(lost.saved),
}


@pytest.mark.parametrize("call", LOST_CALLS)
def test_a_server_gone_in_mid_run_is_one_line_after_one_limit_for_all_calls(lost, asked, call):
    with pytest.raises(UserError, match=rf"^replay server at {lost.replay.address} is gone$"):
        LOST_CALLS[call](lost)
    assert len(asked) <= 2 and set(asked) <= {1}


def test_a_remote_server_held_the_data_and_its_save_says_where(lost):
    assert lost.size >= 7
    record = (lost.saved / "remote.json").read_text()
    assert f'"address": "{lost.replay.address}"' in record
    assert '"checkpoint": "/' in record
