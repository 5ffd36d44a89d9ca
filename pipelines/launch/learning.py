"""The updates of one stage: data → transform → learner → priorities."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from agents import replicas
from agents.builder import Stage
from agents.learner import Learner, Update
from agents.transform import Transform
from agents.types import Sample
from pipelines.replay.datasets import (
    TimedIterator,
    apply_transform,
    make_dataset,
    make_waiting_dataset,
)
from pipelines.replay.server import Replay
from pipelines.system.errors import UserError, naming_misfits


class RemoteTransform(Transform):
    """A transform whose calls wait for other processes.

    Attributes:
      calls: at once.
    """

    calls: int


class Learning:
    """A stage's learner with the road that its data takes.

    Where whole episodes are collected, each round of updates has an iterator of its own, which
    reads as many batches as are learned from: what an update sees then depends on its number and on
    what was collected, and on nothing that was fetched ahead. A transform with a period cuts rounds
    further, so that it is renewed while nothing of it runs. Where updates are spread over steps
    that would cost too much: one iterator goes on, a few batches ahead.

    As many updates as `per_call` says are done in one call of the learner; what is left over of
    those that are due is done one by one, so that no more programs than two are traced.

    Args:
      pooled: makes of the transform one that has others do it; None: it is done in this process.

    Attributes:
      learner, transform: of the stage; both are saved with a run.
      measured: of the last round: share of the time spent waiting for data, updates a second.
    """

    def __init__(
        self,
        stage: Stage,
        learner: Learner,
        transform: Transform | None,
        replay: Replay | None,
        seed: int,
        should_stop: Callable[[], bool],
        per_call: int = 1,
        pooled: Callable[[Transform], RemoteTransform] | None = None,
    ) -> None:
        self.learner, self.transform = learner, transform
        self._applied, self._remote_calls = transform, None
        if transform is not None and pooled is not None:
            self._applied = pooled(transform)
            self._remote_calls = self._applied.calls
        # Traced once, however many rounds have a dataset of their own.
        self._apply = None if transform is None else tf.function(self._applied, autograph=False)
        self.measured: dict[str, float] = {}
        self._stage, self._replay, self._seed = stage, replay, seed
        self._client = replay.client if replay is not None else None
        self._should_stop = should_stop
        self._per_call = 1 if learner.varying else per_call
        self._lasting: TimedIterator | None = None

    @property
    def trackables(self) -> dict[str, tf.Module]:
        """What a checkpoint holds of it, by name."""
        parts = {"learner": self.learner, "transform": self.transform}
        return {f"{self._stage.name}_{k}": v for k, v in parts.items() if v is not None}

    def updates(self, due: int) -> Iterator[tuple[Update, int]]:
        """Does updates, each before it is yielded: those of one call, and how many they are.

        Raises:
          UserError: a metric is not finite, or the replay is gone.
          Interrupted: data are awaited, and the run is to stop.
        """
        start, waited = time.monotonic(), 0.0
        done, end = self._done(), self._done() + due
        while done < end:
            count = min(end - done, self._until_refresh(done))
            batches, begun = self._batches(count, done), done
            while (left := begun + count - done) > 0:
                size = self._per_call if left >= self._per_call else 1
                update = self._learn_from([next(batches) for _ in range(size)])
                done += size
                _check_finite(update, done)
                if self._until_refresh(done - 1) == 1:
                    self._applied.refresh()
                yield update, size
            waited += batches.report().waited_seconds
        seconds = time.monotonic() - start
        self.measured = {
            "learner/wait_share": waited / seconds,
            "learner/updates_per_second": due / seconds,
        }

    def _learn_from(self, batches: Sequence[Any]) -> Update:
        try:
            one = len(batches) == 1
            update = self.learner.step(batches[0]) if one else self.learner.steps(batches)
        except replicas.Misfit as misfit:
            raise UserError(str(misfit)) from misfit
        self._write_priorities(batches, update)
        return update

    def _done(self) -> int:
        return int(self.learner.updates.numpy())

    def _until_refresh(self, done: int) -> float:
        """Updates until the transform is renewed."""
        if self.transform is None or self.transform.period is None:
            return math.inf
        return self.transform.period - done % self.transform.period

    def _batches(self, count: int, done: int) -> TimedIterator:
        """The next batches; `count` are asked for."""
        if self._lasting is not None:
            return self._lasting
        options, lasts = self._stage.dataset_options, True
        if options is None:
            with naming_misfits():
                dataset = self._stage.make_dataset(self._seed, done)
            dataset = apply_transform(dataset, self._apply, done)
        elif options.queue or options.batch_size is None:
            schedule = self._stage.schedule
            dataset = make_waiting_dataset(
                self._client,
                options,
                transform=self._apply,
                first_update=done,
                period=schedule.updates_per_episode or schedule.updates_per_round or 1,
            )
        else:
            lasts = self._stage.schedule.rollout is not None and self._until_refresh(0) == math.inf
            dataset = make_dataset(
                self._replay.address,
                options,
                count=None if lasts else count,
                transform=self._apply,
                remote_calls=self._remote_calls,
                first_update=done,
            )
        # What is on its way from a queue is in no table: it is lost unless it is learned from.
        queued = options is not None and options.queue
        grace = self._client.timeout_s if queued else 0.0
        if options is not None and not queued and options.prefetch and options.batch_size:
            dataset = self.learner.feed(dataset)
        batches = TimedIterator(dataset, self._client, self._should_stop, grace)
        if lasts:
            self._lasting = batches
        return batches

    def _write_priorities(self, batches: Sequence[Any], update: Update) -> None:
        if update.priorities is None or not isinstance(batches[0], Sample):
            return
        table = self._stage.dataset_options.table
        keys = tf.concat([self.learner.whole(batch.key) for batch in batches], axis=0)
        self._client.update_priorities(table, keys, update.priorities)


def _check_finite(update: Update, number: int) -> None:
    for name, values in update.metrics.items():
        for value in values.numpy().ravel():
            if not math.isfinite(value):
                raise UserError(
                    f"{name} is {value} in update {number}: learning has gone astray; the last "
                    "checkpoint is from before it"
                )
