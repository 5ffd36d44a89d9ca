"""Protects a resumed replay from being another than the configuration says."""

from __future__ import annotations

import pathlib
import re

import numpy as np
import pytest
import reverb
import tensorflow as tf

from pipelines.replay.server import Replay
from pipelines.system.errors import UserError
from tests.pipelines import episodes


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> pathlib.Path:
    """The checkpoint of a table of 8 of which 6 are held."""
    folder = tmp_path_factory.mktemp("saved")
    replay = Replay([episodes.uneven_table(8, sampler="uniform")], folder / "replay")
    episodes.add_uneven(replay.client, [1.0] * 6)
    replay.save(folder / "unit" / "replay")
    replay.close()
    return folder / "unit" / "replay"


def held(replay: Replay) -> set[float]:
    """The first observation of each item."""
    samples = replay.client.sample_items(episodes.TABLE, 200)
    return {float(sample.data[0][0, 0]) for sample in samples}


@pytest.mark.parametrize("capacity", [6, 8, 10])
def test_a_changed_capacity_is_applied(saved, tmp_path, capacity):
    before = sorted(saved.iterdir())
    table = episodes.uneven_table(capacity, sampler="uniform")
    replay = Replay([table], tmp_path / "replay", restore_from=saved)
    (info,) = replay.client.server_info().values()
    assert (info.max_size, info.current_size) == (capacity, 6)
    assert held(replay) == {0.0, 10.0, 20.0, 30.0, 40.0, 50.0}
    episodes.add_uneven(replay.client, [1.0] * 3)  # They count from 0 again.
    assert replay.size(episodes.TABLE) == min(9, capacity)
    oldest = 10.0 * max(0, 9 - capacity)
    assert held(replay) == {0.0, 10.0, 20.0, *np.arange(oldest, 60.0, 10.0)}
    replay.save(tmp_path / "again" / "replay")
    replay.close()
    assert sorted(saved.iterdir()) == before

    again = Replay([table], restore_from=tmp_path / "again" / "replay")
    assert again.client.server_info()[episodes.TABLE].max_size == capacity
    again.close()


@pytest.mark.parametrize("capacity", [3, 5, 1_000_000])
def test_a_queues_changed_capacity_is_applied_where_it_stands_twice(tmp_path, capacity):
    """As between a run of one process, whose queue is never full, and one of many."""

    def queue(size: int) -> reverb.Table:
        return reverb.Table.queue("queue", size, signature=tf.TensorSpec([], tf.float32))

    replay = Replay([queue(4)], tmp_path / "replay")
    for value in (1.0, 2.0, 3.0):
        replay.client.insert(np.float32(value), {"queue": 1.0})
    replay.save(tmp_path / "unit")
    replay.close()

    replay = Replay([queue(capacity)], restore_from=tmp_path / "unit")
    (info,) = replay.client.server_info().values()
    limits = (info.max_size, info.rate_limiter_info.max_diff, info.current_size)
    assert limits == (capacity, capacity, 3)
    items = replay.client.sample_items("queue", 3)
    assert [float(np.ravel(item.data)[0]) for item in items] == [1.0, 2.0, 3.0]
    replay.close()


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"max_size": 5}, "table 'TABLE' holds 6 items, its capacity is now 5"),
        (
            {"sampler": "prioritized"},
            "table 'TABLE' had the sampler uniform: true, now prioritized { "
            "priority_exponent: 0.8 }",
        ),
        ({"sampler": "fifo"}, "table 'TABLE' had the sampler uniform: true, now fifo: true"),
        ({"remover": "lifo"}, "table 'TABLE' had the remover fifo: true, now lifo: true"),
        ({"max_times_sampled": 1}, "table 'TABLE' had max_times_sampled 0, now 1"),
        (
            {"min_size_to_sample": 3},
            "table 'TABLE' had the rate limiter min_size_to_sample 1, now min_size_to_sample 3",
        ),
        (
            {"samples_per_insert": 2.0},
            "table 'TABLE' had the rate limiter samples_per_insert 1, now samples_per_insert 2",
        ),
    ],
)
def test_another_definition_is_one_line(saved, tmp_path, table, why):
    defined = episodes.uneven_table(**{"max_size": 8, "sampler": "uniform", **table})
    expected = (
        f"checkpoint {saved.parent} does not fit this configuration: {why}; set it back, or choose "
        "another --logdir"
    ).replace("TABLE", episodes.TABLE)
    with pytest.raises(UserError, match=f"^{re.escape(expected)}$"):
        Replay([defined], tmp_path / "replay", restore_from=saved)
    assert not (tmp_path / "replay").exists()


def test_other_shapes_and_other_tables_are_one_line(saved):
    with pytest.raises(UserError, match=r"had the signature .*, now .*; set it back") as error:
        Replay([episodes.table()], restore_from=saved)
    assert "\n" not in str(error.value)
    other = episodes.uneven_table(8, sampler="uniform").replace(name="other")
    with pytest.raises(UserError, match=rf"it has the tables {episodes.TABLE}, now other; set it"):
        Replay([other], restore_from=saved)


def test_a_damaged_checkpoint_is_one_line(saved, tmp_path):
    for name in ("items.tfrecord", "chunks.tfrecord", "DONE"):
        (tmp_path / name).write_bytes((saved / name).read_bytes())
    (tmp_path / "tables.tfrecord").write_bytes((saved / "tables.tfrecord").read_bytes()[:20])
    with pytest.raises(UserError, match=rf"^cannot read the replay in {tmp_path}: ") as error:
        Replay([episodes.uneven_table(8, sampler="uniform")], restore_from=tmp_path)
    assert "\n" not in str(error.value)
