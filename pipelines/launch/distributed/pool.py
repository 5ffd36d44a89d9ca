"""A transform in processes of its own: batches go out from the dataset and come back in order.

    replay → dataset ── job ──► searcher 0 … M − 1: the agent's transform ──┐
                 ▲                                                          │
                 └───────────────────────── batch ◄─────────────────────────┘ → learner

Searchers ask for jobs, so that nobody has to know them, and one that dies costs the job that it
had. A job says by which version of the transform's variables it is done: a batch is what the
transform itself would have made of it, whoever does it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import ray
import sonnet as snt
import tensorflow as tf

from agents.transform import Transform
from pipelines.launch.distributed.messages import Job, Searched
from pipelines.launch.learning import RemoteTransform


class Pool:
    """Jobs that wait, are being done, and are done.

    Args:
      size: M, searchers.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._taken: dict[int, Job] = {}
        self._done: dict[int, Any] = {}
        self._closed = False

    def do(self, job: Job) -> Any:
        """Waits for a job's batch.

        Raises:
          RuntimeError: the pool was closed meanwhile.
        """
        with self._changed:
            self._waiting.append(job)
            self._changed.wait_for(lambda: job.number in self._done or self._closed)
            if self._closed:
                raise RuntimeError("the run is over")
            return self._done.pop(job.number)

    def next(self, index: int, searched: Searched | None) -> Job | None:
        """Takes what a searcher has done and gives it the oldest job; None: there is none.

        A searcher that has just begun says None: what the one before it had goes to the next one,
        and if that one's answer still comes, nobody needs it.
        """
        with self._changed:
            had = self._taken.get(index)
            if searched is None and had is not None:
                self._waiting.appendleft(self._taken.pop(index))
            elif searched is not None and had is not None and searched.number == had.number:
                self._done[self._taken.pop(index).number] = searched.batch
                self._changed.notify_all()
            if self._waiting:
                self._taken[index] = self._waiting.popleft()
            return self._taken.get(index)

    def close(self) -> None:
        """Lets go of whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class PooledTransform(RemoteTransform):
    """Stands for an agent's transform in the dataset; what it remembers stays with that one.

    Args:
      transform: the agent's.
      networks: that learn; their variables are none of the transform's own.
      pool: where batches go.
      put: makes of values what a job carries.
    """

    def __init__(
        self,
        transform: Transform,
        networks: snt.Module,
        pool: Pool,
        put: Callable[[Any], Any] = ray.put,
    ) -> None:
        super().__init__(name="pooled")
        self.period, self.calls = transform.period, 2 * pool.size
        self._transform, self._pool, self._put = transform, pool, put
        self._own = own_variables(transform, networks)
        self._publishing = threading.Lock()
        self._version, self._values = 0, None

    def __call__(self, batch: Any, update: tf.Tensor) -> Any:
        """See `Transform.__call__`."""
        leaves = tf.nest.flatten(batch)

        def away(number: Any, *values: Any) -> list[Any]:
            packed = tf.nest.pack_sequence_as(batch, values)
            version, variables = self._published()
            job = Job(int(number), version, [variables], [self._put(packed)])
            return tf.nest.flatten(self._pool.do(job))

        found = tf.numpy_function(away, [update, *leaves], [leaf.dtype for leaf in leaves])
        shaped = [tf.ensure_shape(x, leaf.shape) for x, leaf in zip(found, leaves, strict=True)]
        return tf.nest.pack_sequence_as(batch, shaped)

    def refresh(self) -> None:
        """See `Transform.refresh`."""
        self._transform.refresh()
        self._version, self._values = self._version + 1, None

    def _published(self) -> tuple[int, Any]:
        with self._publishing:
            if self._values is None:
                self._values = self._put([variable.numpy() for variable in self._own])
            return self._version, self._values


def own_variables(transform: Transform, networks: snt.Module) -> Sequence[tf.Variable]:
    """What a transform reads, in an order that is the same in all processes."""
    others = {id(variable) for variable in networks.variables}
    return [variable for variable in transform.variables if id(variable) not in others]
