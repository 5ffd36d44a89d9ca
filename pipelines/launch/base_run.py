"""What every run in one process is: a log directory it holds, counters, a bar, rows of metrics."""

from __future__ import annotations

import abc
import contextlib
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipelines.configuration.experiment import Experiment
from pipelines.environments import BatchedEnvironment
from pipelines.launch.run_state import RunState
from pipelines.logdir import log_directory, summary
from pipelines.logdir.checkpointing import CheckpointManager, Unit
from pipelines.logdir.loggers import MetricsLogger
from pipelines.system import files
from pipelines.system.errors import UserError, first_line
from pipelines.system.progress import Progress


class BaseRun(abc.ABC):
    """One run; a checkpoint in its log directory is resumed from.

    Args:
      experiment: what to run.
      logdir: where everything goes.
      seed: of all randomness.
      config_text: gin configuration for `config.gin`, asked for once all parts are built.
      should_stop: asked between steps and updates; once it says so, the run saves and ends.

    Raises:
      UserError: the parts do not fit together, or the log directory is another run's. The log
        directory is then as it was; one that was not there is not there.
    """

    _environment: BatchedEnvironment

    def __init__(
        self,
        experiment: Experiment,
        logdir: str | pathlib.Path,
        seed: int,
        config_text: Callable[[], str],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._experiment, self._builder = experiment, experiment.builder
        self._logdir, self._seed, self._should_stop = pathlib.Path(logdir), seed, should_stop
        self._state = RunState()
        self._clock = self._saved_at = time.monotonic()
        self._make()
        with contextlib.ExitStack() as opened:
            self._claim(opened)
            with files.writing(self._logdir / "config.gin"):
                files.atomic_write(self._logdir / "config.gin", config_text())
            self._write_summary()
            self._opened = opened.pop_all()

    def run(self) -> bool:
        """Goes on until nothing is left to do; returns False when it was asked to stop."""
        with self._opened as opened:
            self._claimed.keep()
            # Not before: a bar keeps its line of the terminal to itself.
            self._progress = Progress(self._length(), self._unit(), self._position())
            opened.callback(self._progress.close)
            return self._run()

    def close(self) -> None:
        """Gives back the log directory and whatever else the run holds; `run` does so itself."""
        self._opened.close()

    @property
    @abc.abstractmethod
    def finished(self) -> bool:
        """Whether nothing is left to do."""

    @property
    def counters(self) -> dict[str, float]:
        """`step`, `episodes`, `updates` and `wall_clock` (seconds) so far."""
        return self._state.counters()

    @property
    def last_evaluation(self) -> dict[str, Any] | None:
        """Mean, standard error and number of the last evaluation's episodes."""
        return self._state.last_evaluation

    # What a run is made of.

    @abc.abstractmethod
    def _make(self) -> None:
        """Makes the parts, `_environment` among them, before the log directory is touched."""

    @abc.abstractmethod
    def _open(self, unit: Unit | None, opened: contextlib.ExitStack) -> None:
        """Connects the parts and restores the unit's state; `opened` closes what is opened."""

    @abc.abstractmethod
    def _run(self) -> bool:
        """The loop; returns whether it came to its end."""

    @abc.abstractmethod
    def _save(self) -> None:
        """Writes a checkpoint and the summary, and sets `_saved_at`."""

    def _save_if_due(self) -> None:
        if time.monotonic() - self._saved_at >= 60.0 * self._experiment.checkpoint_minutes:
            self._save()

    def _claim(self, opened: contextlib.ExitStack) -> None:
        identity = {
            "agent": self._builder.name,
            "environment": self._environment.name,
            "seed": self._seed,
        }
        self._claimed = opened.enter_context(log_directory.claim(self._logdir, identity))
        self._checkpoints = CheckpointManager(self._logdir, identity)
        unit = self._checkpoints.latest()
        self._open(unit, opened)
        self._logger = MetricsLogger(self._logdir, unit.step if unit else None, self._state.rows)
        opened.callback(self._logger.close)

    # How far a run is: in steps where its length is given so, else in episodes.

    def _unit(self) -> str:
        return "episodes" if self._experiment.num_steps is None else "step"

    def _length(self) -> int:
        return self._experiment.num_steps or self._experiment.num_episodes

    def _position(self) -> int:
        return int(self._state.counters()[self._unit()])

    def _long_enough(self) -> bool:
        return self._position() >= self._length()

    def _report_due(self) -> bool:
        """Some thousand rows are enough for every curve."""
        return self._position() - self._state.reported_at >= max(1, self._length() // 1000)

    # What a run shows and leaves behind.

    def _tick(self, steps: int = 0, doing: str = "") -> None:
        """Moves clock and bar; `steps` are those of the episode in progress."""
        self._claimed.check()
        now = time.monotonic()
        self._state.wall_clock += now - self._clock
        self._clock = now
        shown = {**self._state.counters(), "step": self._state.step + steps}
        self._progress.update(shown, self._state.last_return, doing)

    def _report(self) -> None:
        """Writes a row of everything measured since the last one."""
        self._tick()
        state, means = self._state, self._state.take_means()
        self._logger.write(state.counters(), means)
        state.rows += 1
        state.reported_at = self._position()
        self._progress.report(state.counters(), state.last_return, means.get("evaluation/return"))

    def _measure_evaluation(self, result: Mapping[str, Any]) -> None:
        self._state.measure(
            {
                "evaluation/return": result["mean"],
                "evaluation/standard_error": result["standard_error"] or 0.0,
            }
        )

    def _write_summary(self) -> None:
        returns = {"returns": self._state.returns} if self._state.returns else {}
        summary.write_summary(
            self._logdir,
            agent=self._builder.name,
            environment=self._environment.name,
            seed=self._seed,
            counters=self._state.counters(),
            evaluation=self._state.last_evaluation,
            best_evaluation=self._state.best_evaluation,
            **returns,
        )


@contextlib.contextmanager
def restoring(unit: Unit) -> Iterator[None]:
    """Around the reading of a unit's state, which may be another configuration's.

    Raises:
      UserError: in place of what such a state raises.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"checkpoint {unit.path} does not fit this configuration: {first_line(error)}"
        ) from error
