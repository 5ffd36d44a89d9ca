"""From a replay table to batches: sampled, decoded, batched and searched ahead of the learner."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import reverb
import tensorflow as tf
import tree

from agents.types import Sample, Trajectory
from pipelines.replay.client import Client, gone_as_user_error
from pipelines.system.errors import UserError, nearest


def make_dataset(
    server_address: str,
    table: str,
    batch_size: int,
    *,
    max_in_flight_samples_per_worker: int | None = None,
    num_workers: int = 2,
    prefetch: int = 2,
    transform: Callable[[Trajectory], Any] | Callable[[Sample], Any] | None = None,
    prioritized: bool = False,
    max_samples: int = -1,
    timeout_s: float = 20.0,
) -> tf.data.Dataset:
    """Makes a dataset of `Trajectory` batches `[B, T, ...]` with the table's types and shapes.

    Args:
      server_address: 'host:port' of the replay server.
      table: whose signature gives types and shapes (T static when the signature's is, and not
        necessarily the same for all leaves).
      batch_size: B, sequences in a batch.
      max_in_flight_samples_per_worker: samples asked for ahead; None: `batch_size`. More hides a
        remote server's latency, but samples an older table.
      num_workers: threads that fetch and decode. A table that samples in a fixed order (first or
        last in) is read by one, since two would race for that order.
      prefetch: batches kept ready.
      transform: applied to each batch, in parallel, in the dataset's threads (a search stage).
      prioritized: batches are `Sample`s, which tell how each trajectory was chosen.
      max_samples: items to sample in all, after which the dataset ends; -1: endless. Set it to
        steps x B where not one item more may be sampled than the learner uses.
      timeout_s: how long the server may take to answer what its table looks like.

    Raises:
      UserError: the server is gone, or has no such table.
    """
    info = _table_info(Client(server_address, timeout_s), table)
    workers = 1 if info.sampler_options.is_deterministic else num_workers
    dataset = reverb.TrajectoryDataset(
        server_address=server_address,
        table=table,
        dtypes=tree.map_structure(lambda spec: spec.dtype, info.signature),
        shapes=tree.map_structure(lambda spec: spec.shape, info.signature),
        max_in_flight_samples_per_worker=max_in_flight_samples_per_worker or batch_size,
        num_workers_per_iterator=workers,
        max_samples=max_samples,
    )
    dataset = dataset.batch(batch_size, drop_remainder=True)
    dataset = dataset.map(_as_sample if prioritized else lambda sample: Trajectory(*sample.data))
    if transform is not None:
        dataset = dataset.map(transform, num_parallel_calls=workers, deterministic=True)
    return dataset.prefetch(prefetch)


def _as_sample(sample: reverb.ReplaySample) -> Sample:
    info = sample.info
    return Sample(info.key, info.probability, info.table_size, Trajectory(*sample.data))


def make_table_dataset(
    client: Client, table: str, *, transform: Callable[[Trajectory], Any] | None = None
) -> tf.data.Dataset:
    """Makes a dataset whose every element is the whole table, as it is when it is asked for.

    Args:
      client: of the table's server.
      table: its sampler is `ring`, and nobody else reads it.
      transform: applied to each element.

    Yields `Trajectory` of rows `[R, ...]`: all items, one behind the other, in the order they were
    written; `start_of_episode` tells where each begins.

    Raises:
      UserError: the server is gone, or has no such table.
    """
    spec = Trajectory(*_table_info(client, table).signature)
    # One that no stop interrupts, which TensorFlow would report as a fault.
    reader = Client(client.server_address, client.timeout_s)

    def elements() -> Iterator[Trajectory]:
        while True:
            items = _read_in_order(reader, table)
            yield tree.map_structure(lambda *leaves: np.concatenate(leaves), *items)

    dataset = tf.data.Dataset.from_generator(elements, output_signature=spec)
    options = tf.data.Options()
    options.autotune.enabled = False  # It may prefetch, and an element would be old.
    options.experimental_optimization.inject_prefetch = False
    return (dataset if transform is None else dataset.map(transform)).with_options(options)


def _read_in_order(client: Client, table: str) -> list[Trajectory]:
    """Each item once. What was read goes to the ring's end, so a full round leaves its order."""
    items = []
    for _ in range(client.server_info()[table].current_size):
        (sample,) = client.sample_items(table)
        client.update_priorities(table, [sample.info.key], [sample.info.priority])
        items.append(Trajectory(*sample.data))
    return items


def _table_info(client: Client, table: str) -> Any:
    tables, server_address = client.server_info(), client.server_address
    if table not in tables:
        raise UserError(
            f"replay server at {server_address} has no table '{table}'"
            f"; it has {', '.join(sorted(tables))}{nearest(table, tables)}"
        )
    if not tables[table].signature:
        raise UserError(f"table '{table}' at {server_address} has no signature to read it by")
    return tables[table]


class WaitReport(NamedTuple):
    """How long a learner waited for data since the last report.

    Attributes:
      waited_seconds: spent inside `next`.
      total_seconds: since the last report.
      share: waited / total, 0 to 1.
      batches: delivered.
    """

    waited_seconds: float
    total_seconds: float
    share: float
    batches: int


class TimedIterator:
    """Iterates over a dataset, measures the caller's waiting, and notices a dead replay server.

    A thread pulls the batches, so that Ctrl-C works while one is awaited, and so that a read which
    never returns can be left behind.

    Args:
      dataset: what to iterate over.
      client: of the dataset's server, which is asked whether it lives whenever a batch is late
        (`client.timeout_s`); None: nobody is asked, for datasets without a server.
    """

    def __init__(self, dataset: tf.data.Dataset, client: Client | None = None):
        self._client = client
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._ready: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()
        self._waited = 0.0
        self._batches = 0
        self._since = time.perf_counter()
        arguments = (iter(dataset), self._wanted, self._ready)
        threading.Thread(target=_pull, args=arguments, daemon=True).start()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        """Returns the next batch; StopIteration at the end, UserError when the server is gone."""
        start = time.perf_counter()
        self._wanted.put(True)
        try:
            batch, error = self._await()
        finally:
            self._waited += time.perf_counter() - start
        if error is not None:
            self._raise(error)
        self._batches += 1
        return batch

    def __del__(self) -> None:
        self._wanted.put(False)

    def report(self) -> WaitReport:
        """Returns the figures since the last report and starts anew."""
        now = time.perf_counter()
        total = now - self._since
        share = self._waited / total if total > 0 else 0.0
        result = WaitReport(self._waited, total, share, self._batches)
        self._waited, self._batches, self._since = 0.0, 0, now
        return result

    def _await(self) -> tuple[Any, BaseException | None]:
        if self._client is None:
            return self._ready.get()
        return self._client.patiently(lambda seconds: self._ready.get(timeout=seconds))

    def _raise(self, error: BaseException) -> None:
        if self._client is None:
            raise error
        with gone_as_user_error(self._client.server_address):
            if isinstance(error, tf.errors.UnknownError):  # Raised in Python, inside TensorFlow.
                self._client.server_info()
            raise error


def _pull(iterator: Any, wanted: queue.SimpleQueue, ready: queue.SimpleQueue) -> None:
    """Fetches a batch for each True in `wanted`; holds no TimedIterator, so that one can die.

    It alone holds the iterator, in no cycle: Reverb takes up to a second to end one, in which the
    caller would stand still wherever the collector of garbage found it.
    """
    while wanted.get():
        try:
            ready.put((next(iterator), None))
        except StopIteration:
            ready.put((None, StopIteration()))  # The one caught knows the iterator's frames.
        except BaseException as error:
            ready.put((None, error))
