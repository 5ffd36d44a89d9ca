"""The processes as Ray starts them: each makes its part when it is told to, and says how it ended.

TensorFlow is imported inside them, once the number of its threads is set.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import ray

from pipelines.configuration.distributed import Distributed
from pipelines.launch.distributed.messages import (
    Ended,
    Evaluated,
    Job,
    Joined,
    Order,
    Report,
    Searched,
    Setup,
)

# What Ray raises where another process, or its own of this machine, is gone.
_LOST = (ray.exceptions.RayError, OSError)
# How long an evaluator that has nothing to do waits before it asks again, in seconds.
_NAP = 0.5


class LearnerWorker:
    """Hosts a `LearnerRun`; `run` is called once, everything else meanwhile, from other threads."""

    def __init__(self, setup: Setup, settings: Distributed) -> None:
        self._setup, self._settings = setup, settings

    def start(self) -> Ended:
        """Makes the run, or says why there is none."""
        setup = self._setup
        _use_threads(self._settings.learner_threads)
        from pipelines.configuration import experiment
        from pipelines.launch.distributed.learner_run import LearnerRun
        from pipelines.system.errors import UserError, first_line
        from pipelines.system.quiet import silence_reverb

        silence_reverb()
        try:
            self._run = LearnerRun(
                experiment.parse_text(setup.config),
                setup.logdir,
                setup.seed,
                lambda: setup.config,
                settings=self._settings,
                num_actors=setup.num_actors,
                host=ray.util.get_node_ip_address() if setup.public else None,
            )
        except UserError as error:
            return Ended(False, first_line(error))
        _log_to(setup.logdir, "learner")
        return Ended(self._run.finished, evaluation=self._run.last_evaluation)

    def run(self) -> Ended:
        """The run; see `BaseRun.run`."""
        from pipelines.system.errors import UserError, first_line

        try:
            finished = self._run.run()
        except UserError as error:
            return Ended(False, first_line(error))
        except _LOST as error:  # It is replaced, as whoever dies.
            print(first_line(error), flush=True)
            os._exit(1)
        return Ended(finished, evaluation=self._run.last_evaluation)

    def close(self) -> None:
        """Gives the log directory back, where `run` is not called."""
        self._run.close()

    def give_up(self) -> None:
        """Ends the process while it is still in `start`, and takes back what that has made."""
        if (made := sys.modules.get("pipelines.logdir.log_directory")) is not None:
            made.take_back()
        os._exit(0)

    def stop(self) -> None:
        """See `LearnerRun.stop`."""
        self._run.stop()

    def joined(self, index: int) -> Joined:
        """See `LearnerRun.joined`."""
        return self._run.joined(index)

    def order(self, report: Report, version: int) -> Order:
        """See `LearnerRun.order`."""
        return self._run.order(report, version)

    def task(self) -> Any:
        """See `LearnerRun.task`."""
        return self._run.task()

    def is_best(self, result: Evaluated) -> bool:
        """See `LearnerRun.is_best`."""
        return self._run.is_best(result)

    def evaluated(self, result: Evaluated) -> None:
        """See `LearnerRun.evaluated`."""
        self._run.evaluated(result)

    def job(self, index: int, searched: Searched | None) -> Job | None:
        """See `LearnerRun.job`."""
        return self._run.job(index, searched)

    def status(self) -> Any:
        """See `LearnerRun.status`."""
        return self._run.status()


class CollectorWorker:
    """Hosts a `Collector`. What takes long to import is imported while the learner starts."""

    def __init__(self, setup: Setup, settings: Distributed, index: int) -> None:
        self._setup, self._index = setup, index
        _use_threads(settings.actor_threads)
        import pipelines.launch.distributed.collector  # noqa: F401

    def run(self, learner_name: str) -> Ended:
        """Collects until the run is over, or the learner or the replay is gone."""
        setup = self._setup
        _log_to(setup.logdir, f"actor-{self._index}")
        from pipelines.configuration import experiment
        from pipelines.launch.distributed.collector import Collector

        def collect(learner: Any) -> None:
            def ask(report: Report, version: int) -> Order:
                return ray.get(learner.order.remote(report, version))

            described = experiment.parse_text(setup.config)
            joined = ray.get(learner.joined.remote(self._index))
            Collector(described, setup.seed, self._index, setup.num_actors, joined, ask).run()

        return _with_learner(learner_name, collect)


class SearcherWorker:
    """Hosts a `Searcher`; see `CollectorWorker`."""

    def __init__(self, setup: Setup, settings: Distributed, index: int) -> None:
        self._setup, self._index = setup, index
        _use_threads(settings.actor_threads)
        import pipelines.launch.distributed.searcher  # noqa: F401

    def run(self, learner_name: str) -> Ended:
        """Does what the learner hands out until that is gone."""
        setup = self._setup
        _log_to(setup.logdir, f"searcher-{self._index}")
        from pipelines.configuration import experiment
        from pipelines.launch.distributed.searcher import Searcher

        def search(learner: Any) -> None:
            def ask(searched: Searched | None) -> Job | None:
                return ray.get(learner.job.remote(self._index, searched))

            Searcher(experiment.parse_text(setup.config), setup.seed, ask).run()

        return _with_learner(learner_name, search)


class EvaluatorWorker:
    """Hosts a `Judge`; see `CollectorWorker`."""

    def __init__(self, setup: Setup, settings: Distributed) -> None:
        self._setup = setup
        _use_threads(settings.actor_threads)
        import pipelines.launch.distributed.judge  # noqa: F401

    def run(self, learner_name: str) -> Ended:
        """Evaluates whatever is due until the learner is gone."""
        setup = self._setup
        _log_to(setup.logdir, "evaluator")
        from pipelines.configuration import experiment
        from pipelines.launch.distributed.judge import Judge
        from pipelines.logdir import exported

        def evaluate(learner: Any) -> None:
            described = experiment.parse_text(setup.config)
            judge = Judge(described, setup.seed, setup.logdir)
            while True:
                task = ray.get(learner.task.remote())
                if task is None:
                    time.sleep(_NAP)
                    continue
                result = judge.evaluate(task)
                if ray.get(learner.is_best.remote(result)):
                    judge.export("best", task.updates)
                if described.keep_policies:
                    judge.export(exported.kept_at(task.position), task.updates)
                ray.get(learner.evaluated.remote(result))

        return _with_learner(learner_name, evaluate)


def _with_learner(name: str, work: Callable[[Any], None]) -> Ended:
    """Does the work with the learner's process until it is done, or somebody is gone."""
    from pipelines.system.errors import UserError, first_line

    try:
        work(_found(name))
    except (UserError, *_LOST) as error:
        print(first_line(error), flush=True)
        return Ended(False, first_line(error))
    return Ended(True)


def _found(learner: str) -> Any:
    """The learner's process, by its name."""
    from pipelines.system.errors import UserError

    try:
        return ray.get_actor(learner)
    except ValueError as error:
        raise UserError("the learner is gone") from error


def _use_threads(count: int | None) -> None:
    """Before TensorFlow is imported; what the user has set stays."""
    from pipelines.system.command_line import quieten_libraries

    quieten_libraries()
    if count is not None:
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(count))
    # Ray has set it to the CPUs that were asked for.
    os.environ["OMP_NUM_THREADS"] = str(count or os.cpu_count())


def _log_to(logdir: str, name: str) -> None:
    """Sends all that this process prints to a file in the log directory, C++'s included."""
    path = pathlib.Path(logdir) / "workers" / f"{name}.log"
    with contextlib.suppress(OSError):  # On a full disk; the run says so itself.
        path.parent.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
