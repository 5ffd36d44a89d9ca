"""A run's state as one unit on disk: weights, optimiser, counters, random states and replay.

    checkpoints/000000012000/     a unit; the number is the environment step
        weights.index, weights.data-…   TensorFlow checkpoint of all trackables
        state.json                      counters and random states
        replay/                         Reverb's checkpoint (hard links)
        manifest.json                   written last: size and checksum of every file above

A unit is built in a hidden folder and renamed when all of it is on the disk, so what carries a
unit's name was whole once; the manifest finds out whether it still is.
"""

from __future__ import annotations

import base64
import json
import os
import pathlib
import re
import shutil
import sys
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.replay.server import Replay
from pipelines.system import files, paths
from pipelines.system.errors import UserError

_MANIFEST = "manifest.json"
_STATE = "state.json"
_WEIGHTS = "weights"
_REPLAY = "replay"
_FORMAT = 1
_HIDDEN = ".unfinished-"
# What is no longer as it was written raises one of these, whatever it has become.
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
_UNIT_NAME = re.compile(r"(\d{12})(?:\.(\d+))?")


class Unit(NamedTuple):
    """A whole checkpoint.

    Attributes:
      path: its folder.
      step: environment steps when it was made.
      identity: agent, environment, seed …, as the manager was told.
      state: what `save` was given, arrays and tuples included.
      replay: the folder for `Replay(restore_from=…)`, or None when it was saved without one.
    """

    path: pathlib.Path
    step: int
    identity: dict[str, Any]
    state: dict[str, Any]
    replay: pathlib.Path | None

    def restore(self, trackables: Mapping[str, Any]) -> None:
        """Reads weights into `trackables`, named as they were saved.

        Variables that do not exist yet (an optimiser's moments) are filled when they are made.

        Raises:
          UserError: the weights do not fit: another network than the one saved.
        """
        try:
            folder = paths.lasting_literal(self.path)
            reader = tf.train.Checkpoint(**trackables).read(f"{folder}/{_WEIGHTS}")
            reader.expect_partial()  # An evaluator reads no optimiser; that is nothing to warn of.
            reader.assert_existing_objects_matched()
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            why = str(error).splitlines()[0]
            raise UserError(f"checkpoint {self.path} does not fit this configuration: {why}") from (
                error
            )


def find_latest(logdir: str | os.PathLike[str]) -> Unit | None:
    """Returns the newest whole unit under `logdir`, or None when there is none at all.

    Reads only, so it may be used on the directory of a run that goes on. A corrupted unit is
    reported on stderr in one line, and the one before is taken.

    Raises:
      UserError: there are units, and every one is corrupted.
    """
    folder = pathlib.Path(logdir) / "checkpoints"
    paths = _unit_paths(folder)
    for path in reversed(paths):
        try:
            return _read(path)
        except (OSError, *_DAMAGE) as error:
            print(f"warning: checkpoint {path} is corrupted: {_short(error)}", file=sys.stderr)
    if paths:
        raise UserError(
            f"every checkpoint in {folder} is corrupted; remove that folder to start anew"
            ", or choose another --logdir"
        )
    return None


class CheckpointManager:
    """Writes a run's units and keeps the newest ones. One manager a log directory at a time.

    Args:
      logdir: the run's directory; units go to `checkpoints/` in it.
      identity: what makes this run itself (agent, environment, seed); a unit that says something
        else is another run's.
      keep: units kept.

    Raises:
      UserError: the directory cannot be written.
    """

    def __init__(
        self,
        logdir: str | os.PathLike[str],
        identity: Mapping[str, Any] | None = None,
        keep: int = 2,
    ):
        if keep < 1:
            raise ValueError(f"keep is {keep}; expected at least 1 checkpoint")
        self._logdir = pathlib.Path(logdir)
        self._folder = self._logdir / "checkpoints"
        self._identity = dict(identity or {})
        self._keep = keep
        with files.writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sweep()

    def latest(self) -> Unit | None:
        """Returns the newest whole unit, or None at a first start.

        Units behind it, which are corrupted, are put aside as `corrupted-NAME`: they would stand
        in the place of whole ones among the newest.

        Raises:
          UserError: every unit is corrupted, or they are another run's.
        """
        unit = find_latest(self._logdir)
        if unit is not None:
            self._check_identity(unit)
            for path in _unit_paths(self._folder):
                if _order(path) > _order(unit.path):
                    path.rename(path.with_name(f"corrupted-{path.name}"))
        return unit

    def save(
        self,
        step: int,
        trackables: Mapping[str, Any],
        state: Mapping[str, Any],
        replay: Replay | None = None,
    ) -> pathlib.Path:
        """Writes a unit and returns its folder; it is on the disk, whole, when this returns.

        Args:
          step: environment steps, the unit's number. A second unit of the same step gets a suffix.
          trackables: tf.Modules, optimisers, tf.Variables by name.
          state: JSON-able values, NumPy arrays and scalars, tuples, bytes.
          replay: what to save the tables of.

        Raises:
          UserError: the disk is full or read-only, or the replay server is gone. Units written
            before stay as they are.
        """
        hidden = self._folder / f"{_HIDDEN}{step:012d}-{os.getpid()}"
        try:
            with files.writing(self._folder, "earlier checkpoints are untouched"):
                self._build(hidden, step, trackables, state, replay)
                path = self._publish(hidden, step)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        with files.writing(self._folder, "the newest checkpoint is whole"):
            self._remove_old()
        return path

    def _build(
        self,
        folder: pathlib.Path,
        step: int,
        trackables: Mapping[str, Any],
        state: Mapping[str, Any],
        replay: Replay | None,
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        with paths.literal(folder) as place:
            tf.train.Checkpoint(**trackables).write(f"{place}/{_WEIGHTS}")
        (folder / _STATE).write_text(json.dumps(_encode(dict(state))))
        if replay is not None:
            replay.save(folder / _REPLAY)
        manifest = {
            "format": _FORMAT,
            "step": step,
            "identity": self._identity,
            "replay": replay is not None,
            "files": {name: _measure(folder / name, fsync=True) for name in _files(folder)},
        }
        text = json.dumps(manifest, sort_keys=True)
        files.atomic_write(folder / _MANIFEST, f"{text}\n{zlib.crc32(text.encode()):08x}\n")
        for directory in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
            files.sync(directory)

    def _publish(self, hidden: pathlib.Path, step: int) -> pathlib.Path:
        same_step = [p for p in _unit_paths(self._folder) if _order(p)[0] == step]
        suffix = f".{_order(same_step[-1])[1] + 1}" if same_step else ""
        path = self._folder / f"{step:012d}{suffix}"
        hidden.rename(path)
        files.sync(self._folder)
        return path

    def _remove_old(self) -> None:
        for path in _unit_paths(self._folder)[: -self._keep]:
            # Renamed first: a unit half removed by a kill must not be taken for a corrupt one.
            hidden = self._folder / f"{_HIDDEN}{path.name}"
            path.rename(hidden)
            shutil.rmtree(hidden, ignore_errors=True)

    def _sweep(self) -> None:
        for path in self._folder.glob(f"{_HIDDEN}*"):
            shutil.rmtree(path, ignore_errors=True)

    def _check_identity(self, unit: Unit) -> None:
        for key, mine in self._identity.items():
            theirs = unit.identity.get(key)
            if theirs != mine:
                raise UserError(
                    f"log directory {self._logdir} belongs to a run with {key} {theirs!r}, not"
                    f" {mine!r}; choose another --logdir"
                )


def _unit_paths(folder: pathlib.Path) -> list[pathlib.Path]:
    if not folder.is_dir():
        return []
    units = [p for p in folder.iterdir() if _UNIT_NAME.fullmatch(p.name) and p.is_dir()]
    return sorted(units, key=_order)


def _order(path: pathlib.Path) -> tuple[int, int]:
    step, again = _UNIT_NAME.fullmatch(path.name).groups()
    return int(step), int(again or 0)


def _read(path: pathlib.Path) -> Unit:
    """Reads and verifies a unit; OSError or one of `_DAMAGE` when it is not as it was written."""
    text, _, checksum = (path / _MANIFEST).read_text().partition("\n")
    if checksum != f"{zlib.crc32(text.encode()):08x}\n":
        raise ValueError(f"{_MANIFEST} does not match its checksum")
    manifest = json.loads(text)
    if manifest["format"] != _FORMAT:
        raise ValueError(f"its format is {manifest['format']}, this program reads {_FORMAT}")
    for name, expected in manifest["files"].items():
        if _measure(path / name) != expected:
            raise ValueError(f"{name} does not match its checksum")
    state = _decode(json.loads((path / _STATE).read_text()))
    step, identity = manifest["step"], manifest["identity"]
    if not (isinstance(step, int) and isinstance(identity, dict) and isinstance(state, dict)):
        raise ValueError(f"{_MANIFEST} and {_STATE} are no checkpoint's")
    return Unit(path, step, identity, state, path / _REPLAY if manifest["replay"] else None)


def _files(folder: pathlib.Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def _measure(path: pathlib.Path, fsync: bool = False) -> list[int]:
    """Returns [bytes, CRC-32]. Guards against accidents, not against forgery: so the fast one."""
    size = checksum = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            size += len(block)
            checksum = zlib.crc32(block, checksum)
        if fsync:
            os.fsync(file.fileno())
    return [size, checksum]


def _encode(value: Any) -> Any:
    """Returns `value` as JSON holds it; what JSON lacks becomes an object with one marked key."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) and not key.startswith("__") for key in value):
            raise TypeError(f"keys of a state are strings without leading __, got {list(value)}")
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_encode(item) for item in value]
    if isinstance(value, tuple):
        return {"__tuple__": [_encode(item) for item in value]}
    if isinstance(value, bytes):
        return {"__bytes__": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray | np.generic):
        return {"__array__": _encode_array(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a state cannot hold a {type(value).__name__}")


def _encode_array(value: np.ndarray | np.generic) -> list[Any]:
    array = np.asarray(value)
    if array.dtype.hasobject:
        raise TypeError("a state cannot hold an array of objects")
    data = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
    return [array.dtype.str, list(array.shape), isinstance(value, np.generic), data]


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "__tuple__" in value:
        return tuple(_decode(item) for item in value["__tuple__"])
    if "__bytes__" in value:
        return base64.b64decode(value["__bytes__"])
    if "__array__" in value:
        dtype, shape, is_scalar, data = value["__array__"]
        array = np.frombuffer(base64.b64decode(data), np.dtype(dtype)).reshape(shape).copy()
        return array[()] if is_scalar else array
    return {key: _decode(item) for key, item in value.items()}


def _short(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{pathlib.Path(error.filename).name}: {error.strerror}"
    return (str(error).splitlines() or [type(error).__name__])[0]
