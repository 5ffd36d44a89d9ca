"""What a run measures: metrics.csv and TensorBoard, under the same names."""

from __future__ import annotations

import csv
import io
import itertools
import math
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.system import files
from pipelines.system.errors import first_line

_FIRST_COLUMNS = ("step", "episodes", "updates", "wall_clock")


class MetricsLogger:
    """Writes each report as a row of `metrics.csv` and as TensorBoard scalars of the same names.

    Args:
      logdir: the run's directory.
      resume_step: the step a run resumes from; rows of later steps, which it will write again, are
        dropped. None: the run starts at its beginning, and no earlier row is kept.
      resume_rows: rows that the run had written by then, for several rows of one step; None: all up
        to `resume_step` are kept.

    Raises:
      UserError: the directory cannot be written.
    """

    def __init__(
        self,
        logdir: str | os.PathLike[str],
        resume_step: int | None = None,
        resume_rows: int | None = None,
    ):
        self._path = pathlib.Path(logdir) / "metrics.csv"
        with files.writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            rows = self._rows_until(-1 if resume_step is None else resume_step)[:resume_rows]
            self._columns = list(dict.fromkeys([*_FIRST_COLUMNS, *(rows[0] if rows else ())]))
            self._rewrite(rows)
            _mark_start(self._path.parent, -1 if resume_step is None else resume_step)
            self._summaries = tf.summary.create_file_writer(str(self._path.parent))

    def write(self, counters: Mapping[str, float], metrics: Mapping[str, float]) -> None:
        """Writes a row, on the disk when this returns.

        Args:
          counters: `step`, which is TensorBoard's step too, and `episodes`, `updates`, `wall_clock`
            (seconds).
          metrics: values by name; names with a slash are grouped by TensorBoard.

        Raises:
          UserError: the disk is full or read-only.
        """
        row = {**{name: counters.get(name, "") for name in _FIRST_COLUMNS}, **metrics}
        with files.writing(self._path):
            self._append(row)
            with self._summaries.as_default(step=int(counters["step"])):
                for name, value in metrics.items():
                    tf.summary.scalar(name, float(value))
            self._summaries.flush()

    def image(self, name: str, array: np.ndarray, step: int) -> None:
        """Writes an image, uint8 `[height, width, 3]`, or several, `[count, height, width, 3]`."""
        images = array[np.newaxis] if array.ndim == 3 else array
        with files.writing(self._path.parent):
            with self._summaries.as_default(step=step):
                tf.summary.image(name, images, max_outputs=len(images))
            self._summaries.flush()

    def close(self) -> None:
        """Closes TensorBoard's file."""
        self._summaries.close()

    def _append(self, row: Mapping[str, Any]) -> None:
        new = [name for name in row if name not in self._columns]
        if new or not self._path.exists():
            rows = self._rows_until(math.inf)
            self._columns += new
            self._rewrite([*rows, row])
            return
        with open(self._path, "a", newline="") as file:
            file.write(_csv_text([row], self._columns))

    def _rows_until(self, last_step: float) -> list[dict[str, str]]:
        """The rows up to `last_step`; a table that cannot be read is kept aside, and none are."""
        try:
            return _read_rows(self._path, last_step)
        except (ValueError, csv.Error) as error:
            aside = _kept_aside(self._path)
            print(
                f"warning: {self._path} is damaged ({first_line(error)}): kept as {aside.name}, "
                "and begun anew",
                file=sys.stderr,
            )
            return []

    def _rewrite(self, rows: Sequence[Mapping[str, Any]]) -> None:
        header = {name: name for name in self._columns}
        files.atomic_write(self._path, _csv_text([header, *rows], self._columns))


def _csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([[_cell(row.get(name, "")) for name in columns] for row in rows])
    return buffer.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, str | int | np.integer):
        return str(value)
    return f"{float(value):.8g}"


def _read_rows(path: pathlib.Path, last_step: float) -> list[dict[str, str]]:
    """Reads the whole rows up to `last_step`; a row cut off by a kill is dropped.

    Raises:
      ValueError, csv.Error: this is no table of ours.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    table = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
    if table.fieldnames is not None and "step" not in table.fieldnames:
        raise ValueError("it has no column 'step'")
    rows = [row for row in table if None not in row.values()]
    if any(None in row for row in rows):
        raise ValueError("a row has more cells than there are columns")
    steps = [float(row["step"]) for row in rows]
    if not all(map(math.isfinite, steps)):
        raise ValueError("a step is no finite number")
    return [row for row, step in zip(rows, steps, strict=True) if step <= last_step]


def _kept_aside(path: pathlib.Path) -> pathlib.Path:
    """Renames the file to what is not there yet; returns the name."""
    names = (path.with_name(f"{path.name}.damaged-{i}") for i in itertools.count(1))
    return path.rename(next(name for name in names if not name.exists()))


def _mark_start(logdir: pathlib.Path, step: int) -> None:
    """Tells TensorBoard to drop what an interrupted run wrote after `step`.

    It takes the first mark in a directory for a beginning and each later one for a restart, and
    reads files in the order of their names: time, host, then `.0` or the writer's process id.
    """
    with tf.Graph().as_default():
        writer = tf.compat.v1.summary.FileWriter(str(logdir), filename_suffix=".0")
        start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        writer.add_session_log(start, step + 1)
        writer.close()
