"""Runs an agent that learns nothing: its episodes are its evaluation.

    until enough episodes are played:
        one episode in each environment          Policy (planner) ⇄ simulator → environment
        report, video, checkpoint

Log directory, resume and command line are those of `LocalRun`, without replay and policy/: what
plans in the simulator is no SavedModel.
"""

from __future__ import annotations

import contextlib
import time

from agents.actor import Actor
from pipelines import summary, video
from pipelines.base_run import BaseRun, restoring
from pipelines.checkpointing import Unit
from pipelines.environment_loop import (
    EnvironmentLoop,
    Episode,
    Interrupted,
    undone_when_interrupted,
)
from pipelines.errors import UserError, first_line
from pipelines.parts import make_environments, stream_seeds
from pipelines.run_state import RunState


class PlannerRun(BaseRun):
    """One run of a planner; see `BaseRun`. Its last evaluation is of all episodes so far."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self._state.episodes >= self._experiment.num_episodes

    def _make(self) -> None:
        experiment, self._returns = self._experiment, []
        self._environment = make_environments(experiment, experiment.num_environments, self._seed)
        try:
            self._policy = self._builder.make_policy(self._environment.environments)
        except ValueError as error:
            raise UserError(first_line(error)) from error
        seeds = stream_seeds(self._seed)
        self._actor = Actor(self._policy, self._environment.batch_size, seeds["actor"])

    def _open(self, unit: Unit | None, opened: contextlib.ExitStack) -> None:
        if unit is not None:
            self._resume(unit)

    def _run(self) -> bool:
        try:
            while not self.finished:
                self._play()
                self._save()
        except Interrupted:
            self._save()
            return False
        return True

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
        with restoring(unit):
            self._state = RunState(**unit.state["run"])
            self._returns = unit.state["returns"]
            self._actor.calls = unit.state["calls"]
            self._environment.set_random_state(unit.state["environment"])

    def _write_summary(self) -> None:
        super()._write_summary(returns=self._returns)
