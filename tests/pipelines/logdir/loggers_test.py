from __future__ import annotations

import csv
import errno
import math
import os
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from pipelines.logdir.loggers import MetricsLogger
from pipelines.system.errors import UserError


def _counters(step: int) -> dict[str, float]:
    return {"step": step, "episodes": step // 10, "updates": 2 * step, "wall_clock": step / 3}


def _rows(logdir) -> list[dict[str, str]]:
    with open(logdir / "metrics.csv", newline="") as file:
        return list(csv.DictReader(file))


def _scalars(logdir, tag: str) -> list[tuple[int, float]]:
    accumulator = EventAccumulator(str(logdir))
    accumulator.Reload()
    return [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in accumulator.Tensors(tag)]


def test_a_report_is_a_row_and_scalars_of_the_same_names(tmp_path):
    logger = MetricsLogger(tmp_path)
    logger.write(_counters(10), {"loss": 0.125, "train/return": 7})
    logger.write(_counters(20), {"loss": np.float32(0.25), "train/return": 8})
    (header, *lines) = (tmp_path / "metrics.csv").read_text().splitlines()
    assert header == "step,episodes,updates,wall_clock,loss,train/return"
    assert lines == ["10,1,20,3.3333333,0.125,7", "20,2,40,6.6666667,0.25,8"]
    assert _scalars(tmp_path, "loss") == [(10, 0.125), (20, 0.25)]
    assert _scalars(tmp_path, "train/return") == [(10, 7.0), (20, 8.0)]


def test_a_new_name_widens_the_table_and_leaves_older_rows_empty_there(tmp_path):
    logger = MetricsLogger(tmp_path)
    logger.write(_counters(1), {"loss": 1.0})
    logger.write(_counters(2), {"evaluation/mean": 5.0})
    logger.write(_counters(3), {"loss": 3.0})
    assert [(r["loss"], r["evaluation/mean"]) for r in _rows(tmp_path)] == [
        ("1", ""),
        ("", "5"),
        ("3", ""),
    ]
    assert sorted(p.name for p in tmp_path.iterdir() if "tfevents" not in p.name) == ["metrics.csv"]


def test_nan_and_infinity_are_written_as_such(tmp_path):
    logger = MetricsLogger(tmp_path)
    logger.write(_counters(1), {"loss": math.nan, "norm": math.inf})
    (row,) = _rows(tmp_path)
    assert math.isnan(float(row["loss"])) and float(row["norm"]) == math.inf


def test_a_resumed_run_writes_no_row_and_no_scalar_twice(tmp_path):
    logger = MetricsLogger(tmp_path)
    for step in (1, 2, 3, 4):
        logger.write(_counters(step), {"loss": float(step)})
    logger.close()
    with open(tmp_path / "metrics.csv", "a") as file:
        file.write("5,0,1")  # The kill came in the middle of a row.
    time.sleep(1.1)  # TensorBoard's files are told apart by the second.
    logger = MetricsLogger(tmp_path, resume_step=2)
    logger.write(_counters(3), {"loss": 30.0})
    assert [(r["step"], r["loss"]) for r in _rows(tmp_path)] == [
        ("1", "1"),
        ("2", "2"),
        ("3", "30"),
    ]
    assert _scalars(tmp_path, "loss") == [(1, 1.0), (2, 2.0), (3, 30.0)]


def test_a_run_that_starts_anew_keeps_no_earlier_row(tmp_path):
    MetricsLogger(tmp_path).write(_counters(1), {"loss": 1.0})
    MetricsLogger(tmp_path)
    assert _rows(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"step,loss\n1,\xff\n", "'utf-8' codec can't decode byte 0xff"),
        (b"time,loss\n1,2\n", "it has no column 'step'"),
        (b"1,2\n", "it has no column 'step'"),
        (b"step,loss\none,2\n", "could not convert string to float: 'one'"),
        (b"step,loss\n,2\n", "could not convert string to float: ''"),
        (b"step,loss\nnan,2\n", "a step is no finite number"),
        (b"step,loss\n1,2,3\n", "a row has more cells than there are columns"),
        (b"step,loss\n1," + b"x" * 200_000 + b"\n", "field larger than field limit"),
    ],
)
def test_a_table_that_is_none_is_kept_aside_and_begun_anew(tmp_path, capsys, text, why):
    (tmp_path / "metrics.csv.damaged-1").write_text("an earlier one")
    (tmp_path / "metrics.csv").write_bytes(text)
    logger = MetricsLogger(tmp_path, resume_step=5)
    error = capsys.readouterr().err
    assert error.startswith(f"warning: {tmp_path}/metrics.csv is damaged ({why}")
    assert error.endswith("): kept as metrics.csv.damaged-2, and begun anew\n")
    assert error.count("\n") == 1
    logger.write(_counters(6), {"loss": 1.0})
    assert [(r["step"], r["loss"]) for r in _rows(tmp_path)] == [("6", "1")]
    assert (tmp_path / "metrics.csv.damaged-1").read_text() == "an earlier one"
    assert (tmp_path / "metrics.csv.damaged-2").read_bytes() == text


def test_a_table_that_is_removed_or_damaged_in_mid_run_is_begun_anew(tmp_path, capsys):
    logger = MetricsLogger(tmp_path)
    logger.write(_counters(1), {"loss": 1.0})
    (tmp_path / "metrics.csv").unlink()
    logger.write(_counters(2), {"loss": 2.0})
    assert [(r["step"], r["loss"]) for r in _rows(tmp_path)] == [("2", "2")]
    (tmp_path / "metrics.csv").write_text("nonsense\n")
    logger.write(_counters(3), {"loss": 3.0, "new": 4.0})
    assert [(r["step"], r["loss"], r["new"]) for r in _rows(tmp_path)] == [("3", "3", "4")]
    assert "kept as metrics.csv.damaged-1" in capsys.readouterr().err


def test_images_reach_tensorboard(tmp_path):
    logger = MetricsLogger(tmp_path)
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[..., 0] = 255
    logger.image("open_loop", picture, step=7)
    accumulator = EventAccumulator(str(tmp_path))
    accumulator.Reload()
    (event,) = accumulator.Tensors("open_loop")
    width, height, png = tf.make_ndarray(event.tensor_proto)
    assert (event.step, int(width), int(height)) == (7, 6, 4)
    np.testing.assert_array_equal(tf.io.decode_png(png), picture)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_no_row_is_one_line_and_keeps_the_old_ones(tmp_path, monkeypatch, code):
    logger = MetricsLogger(tmp_path)
    logger.write(_counters(1), {"loss": 1.0})

    def fail(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    expected = rf"^cannot write {tmp_path}/metrics.csv: {os.strerror(code)}$"
    with pytest.raises(UserError, match=expected):
        logger.write(_counters(2), {"new": 1.0})
    monkeypatch.undo()
    assert [row["step"] for row in _rows(tmp_path)] == ["1"]


def test_a_log_directory_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"^cannot write .*/file/metrics.csv: "):
        MetricsLogger(tmp_path / "file")
