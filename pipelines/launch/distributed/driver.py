"""The process that was started: it has Ray place the others and replaces those that die.

    driver ──► learner (replay, counters, checkpoints) ◄── evaluator
                  ▲ ▲
                  └─┴── actor 0 … K − 1, searcher 0 … M − 1

A process that dies is replaced by a fresh one. The learner goes on from its last checkpoint; who
worked with the dead one ends too and is replaced: no client of a server that is gone is trusted.
"""

from __future__ import annotations

import contextlib
import pathlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ray

from pipelines.configuration.experiment import Experiment, distributed_settings
from pipelines.launch.distributed import workers
from pipelines.launch.distributed.messages import Ended, Setup, Status
from pipelines.system.cluster import connected
from pipelines.system.errors import Interrupted, UserError
from pipelines.system.progress import Progress

_WORKERS = {
    "actor": workers.CollectorWorker,
    "evaluator": workers.EvaluatorWorker,
    "searcher": workers.SearcherWorker,
}
# Between two looks at the processes, in seconds.
_GLANCE = 0.5
# How long a learner may take to save and end, in seconds, before it counts as hung.
_LAST_SAVE = 600.0
# How long a learner may be busy with something else before it says how far it is, in seconds.
_ANSWER = 5.0
# Calls that it answers beside its run.
_LEARNER_THREADS = 64


class DistributedRun:
    """One run; used as `LocalRun` is.

    Args:
      experiment: what to run.
      logdir: where everything goes, on a disk that all machines share.
      seed: of all randomness.
      config: gin's, as text, from which each process makes its own experiment.
      num_actors: K.
      ray_address: of a cluster; None: Ray is started here, and ended with the run.
      should_stop: asked all the time; once it says so, the run saves and ends.

    Raises:
      UserError: Ray does not start, or the run cannot be made.
      Interrupted: it was asked to stop before there was anything to save.
    """

    def __init__(
        self,
        experiment: Experiment,
        logdir: str | pathlib.Path,
        seed: int,
        config: str,
        *,
        num_actors: int,
        ray_address: str | None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._experiment, self._logdir = experiment, pathlib.Path(logdir)
        self._settings, self._should_stop = distributed_settings(), should_stop
        public = ray_address is not None
        self._setup = Setup(config, str(self._logdir.resolve()), seed, num_actors, public)
        self._workers: dict[str, Any] = {}
        self._running: dict[str, Any] = {}
        self._attempts: dict[str, tuple[int, tuple[float, ...]]] = {}
        self._retired: set[str] = set()  # Those that have ended because nothing was left to do.
        self._seconds: dict[str, float] = {}
        with contextlib.ExitStack() as opened:
            others = ["evaluator", *(f"actor-{index}" for index in range(num_actors))]
            others += [f"searcher-{index}" for index in range(self._settings.num_searchers)]
            roles = [name.partition("-")[0] for name in ("learner", *others)]
            cores = sum(self._settings.ray_options(role)["num_cpus"] for role in roles)
            memory = self._settings.object_store_mb
            with self._timed("Ray"):
                opened.enter_context(connected(ray_address, cores, memory_mb=memory))
            opened.callback(self._kill_all)
            with self._timed("learner"):
                self._place_learner()
                for name in others:
                    self._place(name)
                self._start_learner()
            self._opened = opened.pop_all()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self._started.finished

    @property
    def last_evaluation(self) -> Mapping[str, Any] | None:
        """Mean, standard error and number of the last evaluation's episodes."""
        return self._started.evaluation

    def close(self) -> None:
        """Gives back whatever the run holds; `run` does so itself."""
        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(self._learner.close.remote())
        self._opened.close()

    def run(self) -> bool:
        """Goes on until nothing is left to do; returns False when it was asked to stop."""
        with self._opened as opened:
            self._shown: Status = ray.get(self._learner.status.remote())
            self._begun_at, self._first_step = time.monotonic(), self._shown.counters["step"]
            unit = "episodes" if self._experiment.num_steps is None else "step"
            length = self._experiment.num_steps or self._experiment.num_episodes
            self._progress = Progress(length, unit, int(self._shown.counters[unit]))
            opened.callback(self._progress.close)
            for name in self._workers:
                self._begin(name)
            try:
                self._started = self._supervise()
            except Interrupted:  # While the learner was being replaced: its checkpoint stays.
                return False
        if self._started.error is not None:
            raise UserError(self._started.error)
        return self._started.finished

    # Supervision.

    def _supervise(self) -> Ended:
        """Replaces who dies until the learner has ended by itself; returns how it did."""
        stopped_at = None
        while True:
            self._show()
            if stopped_at is None and self._should_stop():
                stopped_at = time.monotonic()
                self._learner.stop.remote()
            if stopped_at is not None and time.monotonic() - stopped_at > _LAST_SAVE:
                raise UserError("the learner does not end; its last checkpoint stays")
            ended = self._ended()
            finished = {n for n, how in ended.items() if isinstance(how, Ended) and how.finished}
            self._retired |= finished - {"learner"}
            if (learner := ended.pop("learner", None)) is not None:
                if not isinstance(learner, Exception):
                    return learner
                if stopped_at is not None:
                    raise UserError("the learner died as it ended; its last checkpoint stays")
                self._replace("learner", learner)
            for name, how in ended.items():
                if stopped_at is None and name not in finished:
                    self._replace(name, how)

    def _ended(self) -> dict[str, Ended | Exception]:
        """Who has ended since the last look, and how; an exception: it died."""
        ready, waiting = ray.wait(list(self._running.values()), timeout=_GLANCE)
        if ready and self._running["learner"] in waiting:  # It may be why the others have ended.
            ready += ray.wait([self._running["learner"]], timeout=_GLANCE)[0]
        names = [name for name, reference in self._running.items() if reference in ready]
        return {name: _outcome(self._running.pop(name)) for name in names}

    def _replace(self, name: str, how: Ended | Exception) -> None:
        """Begins a process anew, unless it ends again and again while nothing is done."""
        done = tuple(self._shown.counters.values())[:-1]
        attempts, before = self._attempts.get(name, (0, None))
        attempts = attempts + 1 if before == done else 1
        said = self._last_words(name, how)
        if attempts >= self._settings.attempts:
            raise UserError(f"{name} ended {attempts} times in a row: {said}")
        print(f"{name} is replaced: {said}", flush=True)
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(self._workers[name])
        if name == "learner":
            self._attempts.clear()
        self._renew(name)
        self._attempts[name] = (attempts, done)

    def _renew(self, name: str) -> None:
        """Begins a process in another's place."""
        if name == "learner":
            self._place_learner()
            self._start_learner()
            # It goes on from its checkpoint, where there was work left for them.
            for retired in sorted(self._retired):
                self._place(retired)
                self._begin(retired)
            self._retired.clear()
        else:
            self._place(name)
        self._begin(name)

    def _last_words(self, name: str, how: Ended | Exception) -> str:
        if isinstance(how, Ended):
            return how.error or "it ended"
        with contextlib.suppress(OSError):
            log = self._logdir / "workers" / f"{name}.log"
            if lines := log.read_text(errors="replace").strip().splitlines():
                return f"it died; its last line is: {lines[-1]}"
        if isinstance(how, ray.exceptions.OutOfMemoryError):
            return "Ray ended it, since the machine's memory is nearly full"
        return "it died"

    # Processes.

    def _place_learner(self) -> None:
        """Has Ray begin the learner's process."""
        self._learner_name = f"learner-{uuid.uuid4().hex[:8]}"
        options = self._settings.ray_options("learner")
        self._learner = self._workers["learner"] = (
            ray.remote(workers.LearnerWorker)
            .options(**options, name=self._learner_name, max_concurrency=_LEARNER_THREADS)
            .remote(self._setup, self._settings)
        )

    def _start_learner(self) -> None:
        """Has it make the run, or go on with it; `_started` says what it found.

        Raises:
          Interrupted: the run is to stop, and the process has ended; it leaves nothing new behind.
          UserError: there is no run, or the process dies again and again.
        """
        for left in reversed(range(self._settings.attempts)):
            starting = self._learner.start.remote()
            while not ray.wait([starting], timeout=_GLANCE)[0]:
                if self._should_stop():
                    ray.wait([self._learner.give_up.remote()], timeout=_ANSWER)
                    raise Interrupted
            outcome = _outcome(starting)
            if isinstance(outcome, Ended):
                break
            said = self._last_words("learner", outcome)
            if not left:
                raise UserError(f"learner ended {self._settings.attempts} times in a row: {said}")
            print(f"learner is replaced as it starts: {said}", flush=True)
            self._place_learner()
        self._started: Ended = outcome
        if outcome.error is not None:
            raise UserError(outcome.error)

    def _place(self, name: str) -> None:
        """Has Ray begin any other process."""
        role, _, index = name.partition("-")
        self._workers[name] = (
            ray.remote(_WORKERS[role])
            .options(**self._settings.ray_options(role))
            .remote(self._setup, self._settings, *([int(index)] if index else []))
        )

    def _begin(self, name: str) -> None:
        """Lets a process go to work, at once or when it is there."""
        arguments = () if name == "learner" else (self._learner_name,)
        self._running[name] = self._workers[name].run.remote(*arguments)

    def _kill_all(self) -> None:
        for worker in self._workers.values():
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(worker)

    # What is shown.

    def _show(self) -> None:
        try:
            status: Status = ray.get(self._learner.status.remote(), timeout=_ANSWER)
        except ray.exceptions.RayError:  # Busy, or dead, which is noticed elsewhere.
            return
        if self._seconds and status.counters["step"] > self._first_step:
            self._seconds["first steps"] = time.monotonic() - self._begun_at
            print("seconds to start:", _listed(self._seconds), flush=True)
            self._seconds.clear()
        evaluation = status.evaluation
        if evaluation != self._shown.evaluation:
            self._progress.report(status.counters, status.last_return, evaluation["mean"])
        else:
            self._progress.update(status.counters, status.last_return, status.doing)
        self._shown = status

    @contextlib.contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self._seconds[stage] = time.monotonic() - start


def _listed(seconds: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in seconds.items())


def _outcome(reference: Any) -> Ended | Exception:
    """How a process ended: by itself, or of a death; a fault of the program is raised."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError:
        raise
    except ray.exceptions.RayError as error:
        return error
