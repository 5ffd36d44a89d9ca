"""Whether a replay checkpoint was made of tables as they are defined now.

Reverb restores a table as the checkpoint defines it, whatever the server was given: so a change of
the configuration would have no effect, or end somewhere else. Here a change of capacity is applied
to the checkpoint first, and any other is refused.
"""

from __future__ import annotations

import contextlib
import pathlib
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import reverb
import tensorflow as tf
import tree
from google.protobuf import message, text_format
from reverb.cc import schema_pb2
from reverb.cc.checkpointing import checkpoint_pb2
from tensorflow.python.saved_model import nested_structure_coder

from pipelines.system.errors import UserError, first_line

_TABLES = "tables.tfrecord"
_ITEMS = "items.tfrecord"
_COMPRESSION = "ZLIB"
_LIMITS = ("samples_per_insert", "min_size_to_sample", "min_diff", "max_diff")


@contextlib.contextmanager
def fitted(checkpoint: str | None, tables: Sequence[reverb.Table]) -> Iterator[str | None]:
    """Gives a checkpoint of the same items that Reverb restores into tables defined as these.

    Args:
      checkpoint: a folder that Reverb has written; None: nothing is restored.
      tables: as the configuration makes them.

    Raises:
      UserError: another definition than that of the capacity has changed, or more items are held
        than the capacity is now.
    """
    if checkpoint is None:
        yield None
        return
    folder = pathlib.Path(checkpoint)
    infos = {table.name: table.info for table in tables}
    try:
        saved = _messages(folder / _TABLES, checkpoint_pb2.PriorityTableCheckpoint)
        changed = _resized(folder, saved, infos)
    except (tf.errors.OpError, message.DecodeError) as error:
        raise UserError(f"cannot read the replay in {folder}: {first_line(error)}") from error
    if not changed:
        yield checkpoint
        return
    with tempfile.TemporaryDirectory(prefix="replay-") as scratch:
        for file in folder.iterdir():
            if file.name != _TABLES:
                pathlib.Path(scratch, file.name).symlink_to(file.absolute())
        with tf.io.TFRecordWriter(f"{scratch}/{_TABLES}", _COMPRESSION) as writer:
            for table in saved:
                writer.write(table.SerializeToString())
        yield scratch


def _resized(folder: pathlib.Path, saved: Sequence[Any], infos: dict[str, Any]) -> bool:
    """Gives the saved tables the capacities of now; returns whether any was another one."""
    names = sorted(table.table_name for table in saved)
    if names != sorted(infos):
        _refuse(folder, f"it has the tables {', '.join(names)}, now {', '.join(sorted(infos))}")
    changed = False
    for table in saved:
        info = infos[table.table_name]
        if _is_queue(table, table.rate_limiter) and _is_queue(info, info.rate_limiter_info):
            table.rate_limiter.max_diff = info.rate_limiter_info.max_diff
        _check_equal(folder, table, info)
        if table.max_size != info.max_size:
            held = _count(folder, table.table_name)
            if held > info.max_size:
                _refuse(
                    folder,
                    f"table '{table.table_name}' holds {held} items, its capacity is now "
                    f"{info.max_size}",
                )
            table.max_size, changed = info.max_size, True
    return changed


def _is_queue(table: Any, limiter: Any) -> bool:
    """Whether it is a queue, whose capacity stands in its rate limiter as well."""
    return table.max_times_sampled == 1 and limiter.max_diff == table.max_size


def _check_equal(folder: pathlib.Path, saved: Any, info: Any) -> None:
    was, now = _described(saved), _described_now(info)
    for what in was:
        if was[what] != now[what]:
            one, other = _first_difference(was[what], now[what])
            _refuse(folder, f"table '{info.name}' had {what} {one}, now {other}")


def _described(saved: Any) -> dict[str, list[str]]:
    signature = nested_structure_coder.decode_proto(saved.signature)
    return {
        "the signature": _leaves(signature),
        "the sampler": _options(saved.sampler),
        "the remover": _options(saved.remover),
        "max_times_sampled": [str(saved.max_times_sampled)],
        "the rate limiter": _limits(saved.rate_limiter),
    }


def _described_now(info: Any) -> dict[str, list[str]]:
    return {
        "the signature": _leaves(info.signature),
        "the sampler": _options(info.sampler_options),
        "the remover": _options(info.remover_options),
        "max_times_sampled": [str(info.max_times_sampled)],
        "the rate limiter": _limits(info.rate_limiter_info),
    }


def _leaves(signature: Any) -> list[str]:
    return [
        " ".join([*map(str, path), str(spec.shape), spec.dtype.name])
        for path, spec in tree.flatten_with_path(signature)
    ]


def _options(options: Any) -> list[str]:
    text = text_format.MessageToString(options, as_one_line=True)
    return [text.replace("is_deterministic: true", "").strip()]


def _limits(limiter: Any) -> list[str]:
    return [f"{name} {getattr(limiter, name):g}" for name in _LIMITS]


def _first_difference(one: list[str], other: list[str]) -> tuple[str, str]:
    pairs = zip(one, other, strict=False)
    return next(((a, b) for a, b in pairs if a != b), (f"{len(one)} arrays", f"{len(other)}"))


def _count(folder: pathlib.Path, table: str) -> int:
    items = _messages(folder / _ITEMS, schema_pb2.PrioritizedItem)
    return sum(item.table == table for item in items)


def _messages(path: pathlib.Path, kind: type[message.Message]) -> list[Any]:
    records = tf.data.TFRecordDataset(str(path), _COMPRESSION)
    return [kind.FromString(record) for record in records.as_numpy_iterator()]


def _refuse(folder: pathlib.Path, why: str) -> None:
    raise UserError(
        f"checkpoint {folder.parent} does not fit this configuration: {why}; set it back, or "
        "choose another --logdir"
    )
