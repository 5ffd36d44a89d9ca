"""From a replay table to batches: sampled, decoded, batched and searched ahead of the learner."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import reverb
import tensorflow as tf
import tree

from agents.builder import DatasetOptions
from agents.transform import Transform
from agents.types import Sample
from pipelines.replay.client import Client, gone_as_user_error
from pipelines.system.errors import Interrupted, UserError, nearest

# Seconds that a batch may take before anybody asks why.
_PATIENCE = 1.0


def make_dataset(
    server_address: str,
    options: DatasetOptions,
    *,
    count: int | None = None,
    num_workers: int = 2,
    transform: Transform | None = None,
    remote_calls: int | None = None,
    first_update: int = 0,
    timeout_s: float = 20.0,
) -> tf.data.Dataset:
    """Makes a dataset of batches, sampled from a table while somebody learns.

    Args:
      server_address: 'host:port' of the replay server.
      options: the table, whose signature gives types and shapes (T static when the signature's is,
        and not necessarily the same for all leaves), and what a batch is.
      count: batches in all, for which no item more is sampled; None: endless.
      num_workers: threads that fetch and decode. A table that samples in a fixed order (first or
        last in) is read by one, since two would race for that order.
      transform: applied to each batch, in parallel, in the dataset's threads (a search, say).
      remote_calls: of a transform that waits for other processes, at once; None: it computes here,
        in as many threads as fetch.
      first_update: number of the update that the first batch is for.
      timeout_s: how long the server may take to answer what its table looks like.

    Raises:
      UserError: the server is gone, or has no such table.
    """
    info = _table_info(Client(server_address, timeout_s), options)
    workers = 1 if info.sampler_options.is_deterministic else num_workers
    dataset = reverb.TrajectoryDataset(
        server_address=server_address,
        table=options.table,
        dtypes=tree.map_structure(lambda spec: spec.dtype, info.signature),
        shapes=tree.map_structure(lambda spec: spec.shape, info.signature),
        max_in_flight_samples_per_worker=options.batch_size,
        num_workers_per_iterator=workers,
        max_samples=-1 if count is None else count * options.batch_size,
    )
    dataset = dataset.batch(options.batch_size, drop_remainder=True)
    dataset = dataset.map(lambda sample: _as_batch(sample, options))
    dataset = apply_transform(dataset, transform, first_update, workers, remote_calls)
    return dataset.prefetch(options.prefetch)


def make_waiting_dataset(
    client: Client,
    options: DatasetOptions,
    *,
    transform: Transform | None = None,
    first_update: int = 0,
    period: int = 1,
) -> tf.data.Dataset:
    """Makes a dataset whose elements are read when they are asked for, and not before.

    For queues, whose items nobody may take who does not learn from them, and for whole tables
    (`batch_size` None), of which an element is all there is, in the order it was written: items of
    one length as a batch `[B, T, ...]`, and of others the rows `[R, ...]`, one item behind the
    other.

    Args:
      client: of the table's server; nobody else reads the table.
      options: the table, and what an element is.
      transform: applied to each element.
      first_update: number of the update that the first element is for.
      period: a whole table is read for the first update and for each that this divides, and stands
        still between them, whatever others write meanwhile.

    Raises:
      UserError: the server is gone, or has no such table.
    """
    signature = _named(options.sample_type, _table_info(client, options).signature)
    join = np.concatenate
    if all(spec.shape.is_fully_defined() for spec in tree.flatten(signature)):
        join = np.stack
        signature = tree.map_structure(
            lambda spec: tf.TensorSpec([options.batch_size, *spec.shape], spec.dtype), signature
        )
    # One that no stop interrupts, which TensorFlow would report as a fault.
    reader = Client(client.server_address, client.timeout_s)
    read = _read_queue if options.queue else _WholeTable()

    def elements() -> Iterator[Any]:
        for update in itertools.count(first_update):
            if options.queue or update == first_update or update % period == 0:
                items = [_named(options.sample_type, item) for item in read(reader, options)]
                element = tree.map_structure(lambda *leaves: join(leaves), *items)
            yield element

    dataset = tf.data.Dataset.from_generator(elements, output_signature=signature)
    settings = tf.data.Options()
    settings.autotune.enabled = False  # It may prefetch, and an element would be old.
    settings.experimental_optimization.inject_prefetch = False
    return apply_transform(dataset, transform, first_update).with_options(settings)


def apply_transform(
    dataset: tf.data.Dataset,
    transform: Transform | None,
    first_update: int,
    workers: int = 1,
    remote_calls: int | None = None,
) -> tf.data.Dataset:
    """Applies an agent's transform to each batch, and tells it which update the batch is for.

    `workers`, `remote_calls`: see `make_dataset`.
    """
    if transform is None:
        return dataset
    settings = tf.data.Options()
    if remote_calls is not None:  # Each holds a thread while it waits.
        settings.threading.private_threadpool_size = remote_calls + workers
    numbers = tf.data.Dataset.range(first_update, tf.int64.max)
    dataset = tf.data.Dataset.zip((dataset, numbers))
    return dataset.map(
        lambda batch, update: transform(batch, update),
        num_parallel_calls=remote_calls or workers,
        deterministic=True,
    ).with_options(settings)


def _as_batch(sample: reverb.ReplaySample, options: DatasetOptions) -> Any:
    items, info = _named(options.sample_type, sample.data), sample.info
    if not options.prioritized:
        return items
    return Sample(info.key, info.probability, info.table_size, items)


def _named(sample_type: type[Any], item: Any) -> Any:
    """An item as the agent's own named tuple, field by field of its name."""
    fields = item._asdict()
    if set(fields) - set(sample_type._fields) or set(sample_type._fields) - set(fields):
        raise ValueError(
            f"the table's items have fields {', '.join(fields)}; {sample_type.__name__} has "
            f"{', '.join(sample_type._fields)}"
        )
    return sample_type(**fields)


class _WholeTable:
    """Reads all items of a table in the order they were written, each once.

    What was read goes to the ring's end, so a full round leaves its order. What others write
    meanwhile gets among them there; it was seen later, and so keeps its place here.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._places = itertools.count()

    def __call__(self, client: Client, options: DatasetOptions) -> list[Any]:
        """Returns the items that were there when it was called."""
        table, items = options.table, {}
        for _ in range(client.server_info()[table].current_size):
            (sample,) = client.sample_items(table)
            key = int(sample.info.key)
            client.update_priorities(table, [key], [sample.info.priority])
            self._seen.setdefault(key, next(self._places))
            items[key] = sample.data
        self._seen = {key: self._seen[key] for key in items}
        return [items[key] for key in sorted(items, key=self._seen.get)]


def _read_queue(client: Client, options: DatasetOptions) -> list[Any]:
    """The next batch; of whole queues, what is in it."""
    count = options.batch_size or client.server_info()[options.table].current_size
    return [sample.data for sample in client.sample_items(options.table, count)]


def _table_info(client: Client, options: DatasetOptions) -> Any:
    table, tables = options.table, client.server_info()
    server_address = client.server_address
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
      should_stop: asked while a batch is late, where there is no client, who asks its own.
      grace: seconds that a client leaves to a batch when the run is to stop.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        client: Client | None = None,
        should_stop: Callable[[], bool] = lambda: False,
        grace: float = 0.0,
    ):
        self._client, self._should_stop, self._grace = client, should_stop, grace
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
        """Returns the next batch.

        Raises:
          StopIteration: at the end.
          UserError: the server is gone.
          Interrupted: no batch has come, and the run is to stop.
        """
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
        if self._client is not None:
            return self._client.patiently(lambda s: self._ready.get(timeout=s), self._grace)
        while True:
            try:
                return self._ready.get(timeout=_PATIENCE)
            except queue.Empty:
                if self._should_stop():
                    raise Interrupted from None

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
