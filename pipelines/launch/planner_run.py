"""Runs an agent that learns nothing: its episodes are its evaluation.

    until enough episodes are played:
        one episode in each environment          Policy (planner) ⇄ simulator → environment
        report, video, checkpoint

Log directory, resume and command line are those of `LocalRun`, without replay and policy/: what
plans in the simulator is no SavedModel. An episode may take hours, so checkpoints are made inside
it too: with the actions so far, which a resume does again without planning them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import dm_env
import numpy as np

from agents.actor import Actor
from pipelines.acting.environment_loop import EnvironmentLoop, Episode
from pipelines.evaluation import video
from pipelines.launch.base_run import BaseRun, restoring
from pipelines.launch.parts import make_environments, stream_seeds
from pipelines.launch.run_state import RunState
from pipelines.logdir import summary
from pipelines.logdir.checkpointing import Unit
from pipelines.system.errors import Interrupted, UserError, first_line, harmless


class PlannerActor(Actor):
    """Remembers the actions of the episodes in progress, and does known ones again.

    Attributes:
      chosen: actions [B, A] since the episodes began; those that it begins with cost no plan.
    """

    chosen: list[np.ndarray]

    def begin(self, chosen: Sequence[np.ndarray] = ()) -> None:
        """New episodes; with `chosen` they are those that a stop has cut."""
        self.chosen, self._done = list(chosen), 0

    def select_action(self, timesteps: Sequence[dm_env.TimeStep]) -> np.ndarray:
        """See `Actor.select_action`."""
        if self._done == len(self.chosen):
            self.chosen.append(super().select_action(timesteps))
        self._done += 1
        return self.chosen[self._done - 1]


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
        self._actor = PlannerActor(self._policy, self._environment.batch_size, seeds["actor"])

    def _open(self, unit: Unit | None, opened: contextlib.ExitStack) -> None:
        self._begin()
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
        episodes = loop.run(count, record=filmed, on_step=self._stepped)
        self._begin()
        self._film(episodes)
        self._count(episodes)
        self._report()

    def _begin(self) -> None:
        """Whatever is played from here on is, until it is over, what a checkpoint does again."""
        self._begun = self._environment.random_state()
        self._actor.begin()

    def _stepped(self, steps: int) -> None:
        self._tick(steps)
        self._save_if_due()

    def _count(self, episodes: list[Episode]) -> None:
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
                "evaluation/return": result["mean"],
                "evaluation/standard_error": result["standard_error"] or 0.0,
                **self._policy.measurements(),
            }
        )

    def _film(self, episodes: list[Episode]) -> None:
        filmed = [episode.frames for episode in episodes if episode.frames is not None]
        with harmless("no films"):
            for i, frames in enumerate(filmed):
                path = self._logdir / "videos" / f"{self._state.episodes:06d}-episode-{i}.gif"
                video.write_gif(path, frames)

    def _save(self) -> None:
        state = {
            "run": self._state.as_dict(),
            "returns": self._returns,
            "calls": self._actor.calls,
            "environment": self._begun,
            "actions": self._actor.chosen,
        }
        self._checkpoints.save(self._state.step, {}, state)
        self._write_summary()
        self._saved_at = time.monotonic()

    def _resume(self, unit: Unit) -> None:
        with restoring(unit):
            self._state = RunState(**unit.state["run"])
            self._returns = unit.state["returns"]
            self._actor.calls = unit.state["calls"]
            self._environment.set_random_state(unit.state["environment"])
            self._begun = unit.state["environment"]
            self._actor.begin(unit.state["actions"])

    def _write_summary(self) -> None:
        super()._write_summary(returns=self._returns)
