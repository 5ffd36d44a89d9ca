from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from pipelines.logdir.checkpointing import CheckpointManager, find_latest
from pipelines.replay.server import Replay
from pipelines.system.errors import UserError
from tests.pipelines import episodes

IDENTITY = {"agent": "planet", "environment": "cartpole_swingup", "seed": 1}


class Run:
    """The least run there is: a network, an optimiser and counters that all follow the step."""

    def __init__(self):
        self.network = snt.Linear(3)
        self.optimizer = snt.optimizers.Adam(0.1)

    @property
    def trackables(self):
        return {"network": self.network, "optimizer": self.optimizer}

    def train(self, updates: int = 1) -> None:
        for _ in range(updates):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(self.network(tf.ones([2, 4])) ** 2)
            variables = self.network.trainable_variables
            self.optimizer.apply(tape.gradient(loss, variables), variables)


def _content(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_training_goes_on_from_a_restored_unit_as_if_nothing_had_happened(tmp_path):
    run = Run()
    run.train(3)
    CheckpointManager(tmp_path, IDENTITY).save(3, run.trackables, {"updates": 3})
    run.train(2)

    restored = Run()
    unit = CheckpointManager(tmp_path, IDENTITY).latest()
    unit.restore(restored.trackables)  # Before any variable exists.
    restored.train(2)
    assert (unit.step, unit.state, unit.replay) == (3, {"updates": 3}, None)
    for expected, got in zip(run.network.variables, restored.network.variables, strict=True):
        np.testing.assert_array_equal(expected.numpy(), got.numpy())
    np.testing.assert_array_equal(run.optimizer.step.numpy(), restored.optimizer.step.numpy())


def test_random_states_come_back_and_draw_on_as_before(tmp_path):
    old, new = np.random.RandomState(7), np.random.default_rng(7)
    old.normal(), new.normal()
    state = {
        "old": old.get_state(),
        "new": new.bit_generator.state,
        "nested": [{"scalar": np.float32(0.1), "none": None, "bytes": b"\x00\xff"}, (1, 2.5, "a")],
        "array": np.arange(6, dtype=np.int16).reshape(2, 3)[:, ::-1],
        "flag": True,
    }
    manager = CheckpointManager(tmp_path)
    manager.save(0, {}, state)
    back = manager.latest().state
    np.testing.assert_array_equal(back["array"], state["array"])
    assert back["array"].dtype == np.int16 and isinstance(back["nested"][0]["scalar"], np.float32)
    assert back["nested"] == state["nested"] and back["flag"] is True
    other, newer = np.random.RandomState(), np.random.default_rng()
    other.set_state(back["old"])
    newer.bit_generator.state = back["new"]
    np.testing.assert_array_equal(other.normal(size=5), old.normal(size=5))
    np.testing.assert_array_equal(newer.normal(size=5), new.normal(size=5))


@pytest.mark.parametrize("value", [object(), {1: 2}, {"__array__": 1}, np.array([object()])])
def test_a_state_that_would_not_come_back_equal_is_refused(tmp_path, value):
    manager = CheckpointManager(tmp_path)
    with pytest.raises(TypeError, match=r"^(a state cannot hold|keys of a state are strings)"):
        manager.save(0, {}, {"value": value})
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_the_newest_are_kept_in_the_order_of_steps_and_of_writing(tmp_path):
    manager = CheckpointManager(tmp_path, keep=2)
    for number, step in enumerate([5, 100, 100, 100]):
        manager.save(step, {}, {"number": number})
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["000000000100.1", "000000000100.2"]
    assert manager.latest().state == {"number": 3}


def test_half_written_units_are_never_read_and_are_swept_at_the_next_start(tmp_path):
    folder = tmp_path / "checkpoints"
    manager = CheckpointManager(tmp_path)
    whole = manager.save(1, {}, {})
    shutil.copytree(whole, folder / ".unfinished-000000000002-99")
    (folder / ".unfinished-000000000002-99" / "manifest.json").unlink()
    assert find_latest(tmp_path).step == 1
    assert CheckpointManager(tmp_path).latest().step == 1
    assert [path.name for path in folder.iterdir()] == ["000000000001"]


def test_a_directory_without_checkpoints_has_none(tmp_path):
    assert find_latest(tmp_path / "nowhere") is None
    assert CheckpointManager(tmp_path / "new").latest() is None


@pytest.fixture(scope="module")
def two_units(tmp_path_factory):
    logdir = tmp_path_factory.mktemp("two")
    replay = Replay([episodes.table()], logdir / "replay")
    episodes.add_episode(episodes.buffer(replay.client), actions=9)
    run = Run()
    run.train()
    manager = CheckpointManager(logdir, IDENTITY)
    for step in (1, 2):
        manager.save(step, run.trackables, {"step": step}, replay)
    replay.close()
    return logdir


FILES = [
    "manifest.json",
    "state.json",
    "weights.index",
    "weights.data-00000-of-00001",
    "replay/DONE",
    "replay/chunks.tfrecord",
    "replay/items.tfrecord",
    "replay/tables.tfrecord",
]


def test_a_unit_holds_these_files_and_no_other(two_units):
    assert sorted(_content(two_units / "checkpoints" / "000000000002")) == sorted(FILES)


def _flip(path: pathlib.Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1] = bytes([data[len(data) // 2] ^ 1]) if data else b"x"
    path.write_bytes(data)


def _truncate(path: pathlib.Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] or b"x")


@pytest.mark.parametrize("damage", [_flip, _truncate, pathlib.Path.unlink])
@pytest.mark.parametrize("name", FILES)
def test_damage_to_any_file_is_told_in_one_line_and_the_unit_before_is_read(
    two_units, tmp_path, capfd, name, damage
):
    shutil.copytree(two_units / "checkpoints", tmp_path / "checkpoints")
    damage(tmp_path / "checkpoints" / "000000000002" / name)
    capfd.readouterr()
    assert CheckpointManager(tmp_path, IDENTITY).latest().state == {"step": 1}
    error = capfd.readouterr().err
    assert error.startswith(f"warning: checkpoint {tmp_path}/checkpoints/000000000002 is corrupted")
    assert error.count("\n") == 1 and pathlib.Path(name).name in error


def test_a_corrupted_unit_takes_no_place_among_those_that_are_kept(two_units, tmp_path):
    shutil.copytree(two_units / "checkpoints", tmp_path / "checkpoints")
    _flip(tmp_path / "checkpoints" / "000000000002" / "state.json")
    manager = CheckpointManager(tmp_path, IDENTITY, keep=1)
    assert manager.latest().step == 1
    manager.save(1, {}, {"step": 1.5})
    there = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert there == ["000000000001.1", "corrupted-000000000002"]
    assert CheckpointManager(tmp_path, IDENTITY).latest().state == {"step": 1.5}


def _rewrite(path: pathlib.Path, change) -> None:
    """Changes a manifest and seals it again, as no accident but somebody's program would."""
    manifest = json.loads((path / "manifest.json").read_text().split("\n")[0])
    text = change(manifest)
    (path / "manifest.json").write_text(f"{text}\n{zlib.crc32(text.encode()):08x}\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: json.dumps({**manifest, "files": None}),
        lambda manifest: json.dumps({**manifest, "files": ["state.json"]}),
        lambda manifest: json.dumps({**manifest, "identity": [1]}),
        lambda manifest: json.dumps({**manifest, "step": "2"}),
        lambda manifest: json.dumps({"format": 1}),
        lambda manifest: json.dumps([manifest]),
        lambda manifest: "null",
        lambda manifest: "[" * 100_000 + "]" * 100_000,
        lambda manifest: '{"format": ' + '{"a": ' * 100_000 + "1" + "}" * 100_001,
    ],
)
def test_a_manifest_of_another_kind_is_told_in_one_line(two_units, tmp_path, capfd, change):
    shutil.copytree(two_units / "checkpoints", tmp_path / "checkpoints")
    _rewrite(tmp_path / "checkpoints" / "000000000002", change)
    capfd.readouterr()
    assert CheckpointManager(tmp_path, IDENTITY).latest().state == {"step": 1}
    error = capfd.readouterr().err
    assert error.startswith(f"warning: checkpoint {tmp_path}/checkpoints/000000000002 is corrupted")
    assert error.count("\n") == 1


@pytest.mark.parametrize("text", ["[1]", "[" * 100_000, '{"__array__": 1}', '{"__array__": []}'])
def test_a_state_of_another_kind_is_told_in_one_line(two_units, tmp_path, capfd, text):
    shutil.copytree(two_units / "checkpoints", tmp_path / "checkpoints")
    unit = tmp_path / "checkpoints" / "000000000002"
    (unit / "state.json").write_text(text)
    measured = [len(text), zlib.crc32(text.encode())]
    _rewrite(
        unit,
        lambda manifest: json.dumps(
            {**manifest, "files": {**manifest["files"], "state.json": measured}}
        ),
    )
    capfd.readouterr()
    assert CheckpointManager(tmp_path, IDENTITY).latest().state == {"step": 1}
    assert capfd.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["lr=[1,2]", "a\\b", "s*r", "q?", "[!a]"])
def test_a_name_that_reads_as_a_pattern_is_only_a_name(tmp_path, name):
    """Also where the pattern fits a neighbour, whose weights are others."""
    for neighbour in ("lr=1", "lr=2", "ab", "star", "qu", "b"):
        CheckpointManager(tmp_path / neighbour).save(1, {"v": tf.Variable(-1.0)}, {})
    CheckpointManager(tmp_path / name).save(1, {"v": tf.Variable(7.0)}, {"name": name})
    unit = CheckpointManager(tmp_path / name).latest()
    variable = tf.Variable(0.0)
    unit.restore({"v": variable})
    assert (variable.numpy(), unit.state) == (7.0, {"name": name})


def test_under_a_pattern_an_optimisers_moments_are_read_when_they_are_made(tmp_path):
    run = Run()
    run.train(3)
    CheckpointManager(tmp_path / "[a]").save(3, run.trackables, {})
    restored = Run()
    find_latest(tmp_path / "[a]").restore(restored.trackables)  # Before any variable exists.
    run.train(2)
    restored.train(2)
    for expected, got in zip(run.network.variables, restored.network.variables, strict=True):
        np.testing.assert_array_equal(expected.numpy(), got.numpy())


def test_a_directory_that_was_removed_is_told_and_not_made_again(tmp_path):
    manager = CheckpointManager(tmp_path / "runs" / "log")
    manager.save(1, {}, {})
    shutil.rmtree(tmp_path / "runs")
    expected = rf"^cannot write {tmp_path}/runs/log/checkpoints: {tmp_path}/runs is gone$"
    with pytest.raises(UserError, match=expected):
        manager.save(2, {"v": tf.Variable(1.0)}, {})
    assert list(tmp_path.iterdir()) == []


def test_when_all_are_corrupted_the_folder_and_the_remedy_are_named(two_units, tmp_path):
    shutil.copytree(two_units / "checkpoints", tmp_path / "checkpoints")
    for unit in (tmp_path / "checkpoints").iterdir():
        (unit / "manifest.json").write_text("{")
    expected = rf"^every checkpoint in {tmp_path}/checkpoints is corrupted; remove that folder"
    with pytest.raises(UserError, match=expected) as error:
        CheckpointManager(tmp_path, IDENTITY).latest()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("key", "value"), [("agent", "muzero"), ("seed", 2)])
def test_the_directory_of_another_run_is_refused(two_units, key, value):
    expected = rf"belongs to a run with {key} {IDENTITY[key]!r}, not {value!r}; choose another"
    with pytest.raises(UserError, match=expected):
        CheckpointManager(two_units, {**IDENTITY, key: value}).latest()


@pytest.mark.parametrize(
    "other", [{"network": snt.Linear(5)}, {"network": snt.nets.MLP([3, 3])}], ids=["shape", "names"]
)
def test_weights_of_another_network_are_refused_in_one_line(two_units, other):
    other["network"](tf.ones([2, 4]))
    with pytest.raises(UserError, match="does not fit this configuration: ") as error:
        find_latest(two_units).restore(other)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("function", ["fsync", "replace", "mkdir", "rename"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_fails_at_any_moment_is_one_line_and_costs_no_earlier_unit(
    two_units, tmp_path, monkeypatch, function, code
):
    shutil.copytree(two_units / "checkpoints", tmp_path / "checkpoints")
    manager = CheckpointManager(tmp_path, IDENTITY)
    before = _content(tmp_path)

    def fail(path, *args, **kwargs):
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(UserError, match=rf": {os.strerror(code)}; earlier checkpoints are unto"):
        manager.save(3, {"v": tf.Variable(1.0)}, {"step": 3})
    monkeypatch.undo()
    assert _content(tmp_path) == before


@contextlib.contextmanager
def _files_of_at_most(size: int):
    """A limit to the size of files makes the writes of TensorFlow and Reverb fail in the kernel."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_weights_that_outgrow_the_disk_are_one_line_and_cost_no_earlier_unit(tmp_path):
    manager = CheckpointManager(tmp_path)
    manager.save(1, {"v": tf.Variable(tf.zeros([10]))}, {})
    before = _content(tmp_path)
    expected = pytest.raises(UserError, match=r"^cannot write .*/checkpoints: File too large; ")
    with _files_of_at_most(200_000), expected:
        manager.save(2, {"v": tf.Variable(tf.zeros([100_000]))}, {})
    assert _content(tmp_path) == before


def test_a_replay_that_outgrows_the_disk_is_one_line_and_costs_no_earlier_unit(tmp_path):
    replay = Replay([episodes.table()], tmp_path / "replay")
    buffer = episodes.buffer(replay.client)
    manager = CheckpointManager(tmp_path)
    manager.save(1, {}, {}, replay)
    before = _content(tmp_path)
    random = np.random.RandomState(0)
    first, *rest = episodes.steps(100)
    buffer.add_first(first)
    for timestep in rest:
        frame = random.randint(0, 256, episodes.SHAPE).astype(np.uint8)
        buffer.add(random.rand(2).astype(np.float32), timestep._replace(observation=frame))
    expected = pytest.raises(UserError, match=r"^cannot write .*/replay: File too large$")
    with _files_of_at_most(10_000), expected:
        manager.save(2, {}, {}, replay)
    assert _content(tmp_path) == before
    manager.save(3, {}, {}, replay)
    assert manager.latest().step == 3
    replay.close()


def test_a_run_killed_in_the_middle_of_saves_always_leaves_a_whole_unit(tmp_path):
    seed = int(time.time())
    module = "tests.pipelines.logdir.killed_saver"
    command = [sys.executable, "-m", module, str(tmp_path), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True)
    print(f"seed {seed}; returned save, newest unit of each round: {done.stdout.splitlines()}")
    assert done.returncode == 0, done.stderr
    rounds = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(rounds) == 6 and rounds[-1][1] >= 4
    for returned, newest in rounds:
        assert newest in (returned, returned + 1), "no save that had returned is lost"
    _check_replay(find_latest(tmp_path))


def _check_replay(unit) -> None:
    replay = Replay([episodes.table(sampler="fifo", max_times_sampled=1)], restore_from=unit.replay)
    assert replay.size(episodes.TABLE) == unit.step
    got = [item.observation[0, 0, 0, 0] for item in episodes.items(replay.client, unit.step)]
    np.testing.assert_array_equal(got, [step % 250 for step in range(1, unit.step + 1)])
    np.testing.assert_array_equal(unit.state["rng"], np.full(3, unit.step))
    replay.close()


def test_the_manifest_lists_true_sizes_and_checksums(two_units):
    unit = two_units / "checkpoints" / "000000000002"
    manifest = json.loads((unit / "manifest.json").read_text().split("\n")[0])
    assert sorted(manifest["files"]) == sorted(set(FILES) - {"manifest.json"})
    for name, (size, checksum) in manifest["files"].items():
        data = (unit / name).read_bytes()
        assert (size, checksum) == (len(data), zlib.crc32(data))
