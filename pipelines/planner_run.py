"""Runs an agent that learns nothing: its episodes are its evaluation.

    until enough episodes are played:
        one episode in each environment          Policy (planner) ⇄ simulator → environment
        report, video, checkpoint

Log directory, resume and command line are those of `LocalRun`, without replay and policy/: what
plans in the simulator is no SavedModel.
"""

from __future__ import annotations

import contextlib
import pathlib
import time
from collections.abc import Callable
from typing import Any

from agents.actor import Actor
from pipelines import files, log_directory, summary, video
from pipelines.checkpointing import CheckpointManager, Unit
from pipelines.environment_loop import (
    EnvironmentLoop,
    Episode,
    Interrupted,
    undone_when_interrupted,
)
from pipelines.errors import UserError, first_line
from pipelines.experiment import Experiment
from pipelines.loggers import MetricsLogger
from pipelines.parts import make_environments, stream_seeds
from pipelines.progress import Progress
from pipelines.run_state import RunState


class PlannerRun:
    """One run of a planner; arguments, errors and methods are those of `LocalRun`."""

    def __init__(
        self,
        experiment: Experiment,
        logdir: str | pathlib.Path,
        seed: int,
        config_text: Callable[[], str],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._experiment, self._seed, self._should_stop = experiment, seed, should_stop
        self._logdir = pathlib.Path(logdir)
        self._state, self._returns = RunState(), []
        self._clock = time.monotonic()
        self._environment = make_environments(experiment, experiment.num_environments, seed)
        try:
            self._policy = experiment.builder.make_policy(self._environment.environments)
        except ValueError as error:
            raise UserError(first_line(error)) from error
        self._actor = Actor(self._policy, self._environment.batch_size, stream_seeds(seed)["actor"])
        with contextlib.ExitStack() as opened, log_directory.leaving_no_trace(logdir):
            self._open(opened)
            with files.writing(self._logdir / "config.gin"):
                files.atomic_write(self._logdir / "config.gin", config_text())
            self._write_summary()
            self._opened = opened.pop_all()

    def run(self) -> bool:
        """Plays until all episodes are over; returns False when it was asked to stop."""
        with self._opened as opened:
            self._progress = Progress(self._experiment.num_episodes, self._state.episodes)
            opened.callback(self._progress.close)
            try:
                while not self.finished:
                    self._play()
                    self._save()
            except Interrupted:
                self._save()
                return False
        return True

    def close(self) -> None:
        """Gives back the log directory; `run` does so itself."""
        self._opened.close()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self._state.episodes >= self._experiment.num_episodes

    @property
    def counters(self) -> dict[str, float]:
        """`step`, `episodes`, `updates` (none) and `wall_clock` (seconds) so far."""
        return self._state.counters()

    @property
    def last_evaluation(self) -> dict[str, Any] | None:
        """Mean, standard error and number of all episodes so far."""
        return self._state.last_evaluation

    def _open(self, opened: contextlib.ExitStack) -> None:
        identity = {
            "agent": self._experiment.builder.name,
            "environment": self._environment.name,
            "seed": self._seed,
        }
        opened.enter_context(log_directory.claim(self._logdir, identity))
        self._checkpoints = CheckpointManager(self._logdir, identity)
        unit = self._checkpoints.latest()
        if unit is not None:
            self._resume(unit)
        self._logger = MetricsLogger(self._logdir, unit.step if unit else None, self._state.rows)
        opened.callback(self._logger.close)

    def _play(self) -> None:
        """Plays an episode in each environment and reports them together."""
        state = self._state
        loop = EnvironmentLoop(self._environment, self._actor, self._should_stop)
        count = min(self._environment.batch_size, self._experiment.num_episodes - state.episodes)
        filmed = max(0, self._experiment.evaluation_videos - state.episodes)
        start = time.monotonic()
        episodes = undone_when_interrupted(
            self._environment,
            self._actor,
            lambda: loop.run(count, record=filmed, on_step=self._tick),
        )
        self._film(episodes)
        self._count(episodes, time.monotonic() - start)
        self._report()

    def _count(self, episodes: list[Episode], seconds: float) -> None:
        state, steps = self._state, sum(episode.length for episode in episodes)
        returns = [episode.episode_return for episode in episodes]
        self._returns += returns
        state.step += steps
        state.episodes += len(episodes)
        state.last_return = sum(returns) / len(returns)
        result = summary.evaluation_result(self._returns)
        state.record_evaluation(result)
        state.best_evaluation = result
        state.measure(
            {
                "episode/return": state.last_return,
                "episode/length": steps / len(episodes),
                "actor/steps_per_second": steps / seconds,
                "evaluation/return": result["mean"],
                "evaluation/standard_error": result["standard_error"] or 0.0,
                **self._policy.measurements(),
            }
        )

    def _film(self, episodes: list[Episode]) -> None:
        filmed = [episode.frames for episode in episodes if episode.frames is not None]
        for i, frames in enumerate(filmed):
            path = self._logdir / "videos" / f"{self._state.episodes:06d}-episode-{i}.gif"
            video.write_gif(path, frames)

    def _tick(self, steps: int = 0) -> None:
        now = time.monotonic()
        self._state.wall_clock += now - self._clock
        self._clock = now
        shown = {**self._state.counters(), "step": self._state.step + steps}
        self._progress.update(shown, self._state.last_return)

    def _report(self) -> None:
        self._tick()
        state, means = self._state, self._state.take_means()
        self._logger.write(state.counters(), means)
        state.rows += 1
        self._progress.report(state.counters(), state.last_return, means["evaluation/return"])

    def _save(self) -> None:
        state = {
            "run": self._state.as_dict(),
            "returns": self._returns,
            "calls": self._actor.calls,
            "environment": self._environment.random_state(),
        }
        self._checkpoints.save(self._state.step, {}, state)
        self._write_summary()

    def _resume(self, unit: Unit) -> None:
        try:
            self._state = RunState(**unit.state["run"])
            self._returns = unit.state["returns"]
            self._actor.calls = unit.state["calls"]
            self._environment.set_random_state(unit.state["environment"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"checkpoint {unit.path} does not fit this configuration: {first_line(error)}"
            ) from error

    def _write_summary(self) -> None:
        summary.write_summary(
            self._logdir,
            agent=self._experiment.builder.name,
            environment=self._environment.name,
            seed=self._seed,
            counters=self._state.counters(),
            evaluation=self._state.last_evaluation,
            best_evaluation=self._state.best_evaluation,
            returns=self._returns,
        )
