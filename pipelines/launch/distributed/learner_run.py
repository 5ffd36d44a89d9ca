"""The learner's process: it holds replay, counters, log directory and checkpoints.

    collectors ──reports──► counters ──► updates due ──► replay → Learner.step ──► variables
         ▲                                                                          │
         └────────────────────────────── orders ◄───────────────────────────────────┘

Replay lives here because the two are one unit on the disk: one that came back without the other
would go on from another moment. What the schedule says of a local run holds here: as many updates
are due after as many steps. Whoever is ahead waits: the learner for steps, a collector for updates.
"""

from __future__ import annotations

import contextlib
import pathlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import ray
import tensorflow as tf

from agents.builder import Schedule
from agents.transform import Transform
from pipelines.configuration.distributed import Distributed
from pipelines.configuration.experiment import Experiment
from pipelines.launch.base_run import BaseRun, restoring
from pipelines.launch.distributed.fitting import check_room, only_stage
from pipelines.launch.distributed.messages import (
    Evaluated,
    Job,
    Joined,
    Order,
    Report,
    Searched,
    Status,
    Task,
)
from pipelines.launch.distributed.pool import Pool, PooledTransform
from pipelines.launch.parts import Parts, make_role, spec_of
from pipelines.launch.strategies import make_strategy
from pipelines.logdir import exported, summary
from pipelines.logdir.checkpointing import Unit
from pipelines.replay.server import Replay
from pipelines.system.errors import Interrupted, UserError, harmless

# How long the learner sleeps when nothing is due, in seconds.
_NAP = 0.02
# Updates done before anything else is looked at.
_CHUNK = 100


class LearnerRun(BaseRun):
    """One run's learner; see `BaseRun`. Other threads call what stands under "what others ask".

    Args:
      settings: of distributed runs.
      num_actors: K, collectors with `Experiment.num_environments` environments each.
      host: by which other machines reach this one; None: all processes are on this one.
    """

    def __init__(
        self,
        experiment: Experiment,
        logdir: str | pathlib.Path,
        seed: int,
        config_text: Callable[[], str],
        *,
        settings: Distributed,
        num_actors: int,
        host: str | None = None,
    ) -> None:
        self._settings, self._num_actors, self._host = settings, num_actors, host
        self._total_rows = num_actors * experiment.num_environments
        self._stopping = threading.Event()
        self._lock = threading.RLock()
        self._rows = 0
        self._grown: deque[int] = deque(maxlen=num_actors)
        self._anything = False  # In the table.
        self._published: tuple[int, Any] = (-1, None)
        self._published_at = 0.0
        self._task: Task | None = None
        self._result: Evaluated | None = None
        self._doing = ""
        super().__init__(experiment, logdir, seed, config_text, self._stopping.is_set)

    # What others ask.

    def stop(self) -> None:
        """Asks the run to save and end."""
        self._stopping.set()

    def joined(self, index: int) -> Joined:
        """Told to collector `index` as it begins."""
        with self._lock:
            again = self._state.joined.get(str(index), 0)
            self._state.joined[str(index)] = again + 1
        return Joined(self._address, again, self._places)

    def order(self, report: Report, version: int) -> Order:
        """Counts what a collector did, and says what it does next; `version` is what it acts by."""
        with self._lock:
            self._count(report, version)
            newest, reference = self._published
            return Order(
                over=self._long_enough(),
                wait=not self._long_enough() and self._behind(),
                seeding=self._schedule.seeding(self._state.of_stage()),
                version=newest,
                variables=[reference] if newest != version else None,
            )

    def task(self) -> Task | None:
        """The evaluation that is due, until it is taken by `evaluated`; None: none is."""
        with self._lock:
            return self._task if self._result is None else None

    def is_best(self, result: Evaluated) -> bool:
        """Whether an evaluation is the best so far, and is to be exported before it is taken."""
        with self._lock:
            return self._state.is_best(summary.evaluation_result(result.returns))

    def evaluated(self, result: Evaluated) -> None:
        """Takes an evaluation. Whoever dies before leaves the task to the next one."""
        with self._lock:
            if self._task is not None and result.task == self._task[:2]:
                self._result = result

    def job(self, index: int, searched: Searched | None) -> Job | None:
        """Takes what searcher `index` did, and says what it does next; see `Pool.next`."""
        if searched is not None and searched.number is not None:
            with self._lock:
                self._state.measure({"searcher/wait_share": searched.wait_share})
        return self._pool.next(index, searched)

    def status(self) -> Status:
        """How far the run is."""
        with self._lock:
            state = self._state
            return Status(state.counters(), state.last_return, state.last_evaluation, self._doing)

    # What runs while the run does.

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do, the last policy's export included."""
        there = exported.updates_of(self._logdir / "policy" / "last")
        return self._trained() and (self._exporter is None or there == self._state.updates)

    def _make(self) -> None:
        parts = Parts(self._experiment, self._seed, strategy=make_strategy(self._experiment))
        self._stage = only_stage(self._builder, parts)
        self._schedule: Schedule = self._stage.schedule
        # One of each, to know what they look like.
        self._environment = parts.environments(range(1))
        self._spec = spec_of(self._environment, parts.evaluation_environments(1))
        self._networks = parts.networks(self._spec)
        self._tables = parts.tables(self._spec, paced=True)
        check_room(self._stage, self._tables, self._total_rows)
        self._pool = self._make_pool(parts)
        role = make_role(self._environment)
        acting = self._stage.make_policy(self._networks, self._spec, role)
        read = {id(variable) for variable in acting.variables}
        self._places = [i for i, v in enumerate(self._networks.variables) if id(v) in read]
        self._exporter = parts.exporter(self._networks, self._spec)
        self._parts = parts

    def _make_pool(self, parts: Parts) -> Pool | None:
        """Where searchers get their jobs; None: there are none."""
        if (count := self._settings.num_searchers) == 0:
            return None
        if parts.transform(self._stage, self._networks) is None:
            raise UserError(
                f"Distributed.num_searchers is {count}, but {self._builder.name} as configured "
                "transforms no batches; expected 0"
            )
        return Pool(count)

    def _pooled(self, transform: Transform) -> PooledTransform:
        return PooledTransform(transform, self._networks, self._pool, ray.put)

    def _open(self, unit: Unit | None, opened: contextlib.ExitStack) -> None:
        experiment = self._experiment
        self._replay = Replay(
            self._tables,
            self._logdir / "replay",
            address=experiment.replay_address,
            port=experiment.replay_port,
            public=self._host is not None or experiment.replay_public,
            restore_from=unit.replay if unit else None,
            timeout_s=experiment.replay_timeout,
            should_stop=self._should_stop,
        )
        opened.callback(self._replay.close)
        self._address = self._replay.address
        if self._host is not None and self._replay.in_process:
            self._address = f"{self._host}:{self._address.rpartition(':')[2]}"
        self._learning = self._parts.learning(
            self._stage,
            self._networks,
            self._replay,
            self._should_stop,
            None if self._pool is None else self._pooled,
            rows=self._total_rows,
        )
        if self._pool is not None:
            opened.callback(self._pool.close)
        if unit is not None:
            unit.restore(self._trackables())
            with restoring(unit):
                self._state = type(self._state)(**unit.state["run"])
        self._publish()

    def _run(self) -> bool:
        finished = self._train()
        self._save()
        if self._exporter is not None:
            self._doing = "exporting"
            policy = self._logdir / "policy" / "last"
            self._exporter.save(policy)
            exported.note_updates(policy, self._state.updates)
        return finished

    def _train(self) -> bool:
        idle = 0.0
        try:
            while not self._trained():
                if self._stopping.is_set():
                    raise Interrupted
                self._look_after()
                if (due := self._updates_due()) == 0:
                    time.sleep(_NAP)
                    idle += _NAP
                    continue
                self._learn(min(due, _CHUNK), idle)
                idle = 0.0
        except Interrupted:
            return False
        self._report()
        return True

    def _trained(self) -> bool:
        return (
            self._long_enough()
            and self._updates_due() == 0
            and self._task is None
            and not self._evaluation_due()
        )

    def _updates_due(self) -> int:
        options = self._stage.dataset_options
        with self._lock:
            done = self._state.of_stage()
            if not options.queue:
                due = self._schedule.updates_due(done)
                return due if due == 0 or self._filled() else 0
        if self._schedule.seeding(done) or self._long_enough():
            return 0
        # Of a whole queue, one rollout of each row.
        items = self._replay.size(options.table) // (options.batch_size or self._total_rows)
        return items if options.batch_size else min(items, 1)

    def _filled(self) -> bool:
        """Whether there is anything to learn from: an item may take longer than the first steps."""
        if not self._anything:
            self._anything = self._replay.size(self._stage.dataset_options.table) > 0
        return self._anything

    def _learn(self, count: int, idle: float) -> None:
        start = time.monotonic()
        for update, done in self._learning.updates(count):
            with self._lock:
                self._state.measure(update.metrics)
                self._state.updates += done
            self._look_after()
            if self._stopping.is_set():
                raise Interrupted
        measured, seconds = self._learning.measured, time.monotonic() - start
        waited = idle + measured["learner/wait_share"] * seconds
        with self._lock:
            self._state.measure({**measured, "learner/wait_share": waited / (idle + seconds)})

    def _look_after(self) -> None:
        """What is due between two updates, or while there is none."""
        self._tick()
        self._take_result()
        if self._task is None and self._evaluation_due():
            self._task = Task(self._position(), self._state.updates, [self._values()])
        if time.monotonic() - self._published_at >= self._settings.variable_seconds:
            self._publish()
        with self._lock:
            if self._report_due():
                self._report()
        self._save_if_due()

    # Counting.

    def _count(self, report: Report, version: int) -> None:
        state, before = self._state, self._due_by_schedule()
        state.step += report.steps
        state.episodes += len(report.episodes)
        self._rows += report.rows
        rounds, self._rows = divmod(self._rows, self._total_rows)
        state.rounds += rounds
        for episode_return, length in report.episodes:
            state.measure({"episode/return": episode_return, "episode/length": length})
        if report.episodes:
            state.last_return = float(np.mean([found for found, _ in report.episodes]))
        state.measure(report.metrics)
        if report.rows:
            state.measure({"actor/updates_behind": state.updates - max(version, 0)})
            self._grown.append(self._due_by_schedule() - before)

    def _due_by_schedule(self) -> int:
        return self._schedule.updates_due(self._state.of_stage())

    def _behind(self) -> bool:
        """Whether more is to be learned from than collectors may be ahead by."""
        if self._stage.dataset_options.queue:
            return False  # A queue that is full holds them back.
        if not self._anything:
            return False
        return self._due_by_schedule() > self._settings.rounds_ahead * sum(self._grown)

    # Variables.

    def _values(self) -> Any:
        return ray.put([variable.numpy() for variable in self._networks.variables])

    def _publish(self) -> None:
        """Lets collectors have the variables as they are now."""
        self._published_at = time.monotonic()
        if self._published[0] == self._state.updates:
            return
        variables = self._networks.variables
        reference = ray.put([variables[place].numpy() for place in self._places])
        with self._lock:
            self._published = (self._state.updates, reference)

    # Evaluation.

    def _evaluation_due(self) -> bool:
        state, interval = self._state, self._experiment.evaluation_interval
        if state.updates == state.evaluated_updates:
            return False
        if self._long_enough():
            return self._updates_due() == 0
        return self._position() // interval > state.evaluated_at // interval

    def _take_result(self) -> None:
        if (result := self._result) is None:
            return
        state, (position, updates) = self._state, result.task
        evaluation = summary.evaluation_result(result.returns)
        with self._lock:
            state.record_evaluation(evaluation, position)
            state.evaluated_updates = updates
            self._task = self._result = None
            self._measure_evaluation(evaluation)
            self._report()
        with harmless("no pictures in TensorBoard"):
            for name, picture in result.pictures.items():
                self._logger.image(name, picture, state.step)
        self._write_summary()

    # Checkpoints.

    def _trackables(self) -> dict[str, tf.Module]:
        return {
            "networks": self._networks,
            "acting": self._networks,
            **self._learning.trackables,
        }

    def _save(self) -> None:
        self._tick()
        with self._lock:
            state: Mapping[str, Any] = {"run": self._state.as_dict()}
        self._checkpoints.save(self._state.step, self._trackables(), state, self._replay)
        self._write_summary()
        self._saved_at = time.monotonic()
