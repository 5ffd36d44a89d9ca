"""Runs a builder's agent in one process: acting, learning and replay take turns (Algorithm 1).

    until enough episodes are collected:
        updates due before the next episode      replay → dataset → Learner.step
        evaluation, export when due
        one episode in each environment          Policy → environment → Adder → replay
        checkpoint when due

What comes next depends only on counters and random states, and a checkpoint holds all of them: a
run that is stopped and started again does what it would have done.
"""

from __future__ import annotations

import contextlib
import time
from typing import Any

import tensorflow as tf

from agents.actor import Actor
from pipelines.acting.environment_loop import EnvironmentLoop, undone_when_interrupted
from pipelines.environments import BatchedEnvironment
from pipelines.evaluation.evaluator import Evaluator
from pipelines.launch.base_run import BaseRun, restoring
from pipelines.launch.parts import Parts, make_parts
from pipelines.launch.run_state import RunState
from pipelines.logdir import summary
from pipelines.logdir.checkpointing import Unit
from pipelines.replay.datasets import TimedIterator, make_dataset, make_table_dataset
from pipelines.replay.server import EpisodeBuffer, Replay
from pipelines.serving.export import Exporter
from pipelines.system.errors import Interrupted, UserError, harmless


class LocalRun(BaseRun):
    """One training run; see `BaseRun`."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        enough = self._state.episodes >= self._experiment.num_episodes
        return enough and self._updates_due() == 0 and not self._evaluation_due()

    # What runs while the run does.

    def _make(self) -> None:
        if self._experiment.deterministic:
            tf.config.experimental.enable_op_determinism()
        self._parts = make_parts(self._experiment, self._seed)
        self._environment = self._parts.environment

    def _open(self, unit: Unit | None, opened: contextlib.ExitStack) -> None:
        self._replay = Replay(
            self._parts.tables,
            self._logdir / "replay",
            address=self._experiment.replay_address,
            port=self._experiment.replay_port,
            public=self._experiment.replay_public,
            restore_from=unit.replay if unit else None,
            timeout_s=self._experiment.replay_timeout,
            should_stop=self._should_stop,
        )
        opened.callback(self._replay.close)
        self._connect(self._parts)
        if unit is not None:
            self._resume(unit)

    def _connect(self, parts: Parts) -> None:
        """Wires policies, environments and learner to the replay."""
        options, batch_size = self._builder.dataset_options, parts.environment.batch_size
        transform = self._builder.make_dataset_transform(parts.learner)
        if options.batch_size is None:
            self._dataset = make_table_dataset(
                self._replay.client, options.table, transform=transform
            )
        else:
            self._dataset = make_dataset(
                self._replay.address,
                options.table,
                options.batch_size,
                transform=transform,
                prioritized=options.prioritized,
            )
        adders = [
            EpisodeBuffer(self._builder.make_adder(self._replay.client)) for _ in range(batch_size)
        ]
        written = (adders, self._builder.extras)
        self._seed_actor = Actor(parts.seed_policy, batch_size, parts.seeds["seed_actor"], *written)
        self._actor = Actor(parts.policy, batch_size, parts.seeds["actor"], *written)
        self._evaluation_actor = Actor(
            parts.evaluation_policy,
            parts.evaluation_environment.batch_size,
            parts.seeds["evaluation_actor"],
        )
        self._exporter = Exporter(parts.evaluation_policy, self._experiment.export_native)
        self._evaluator = Evaluator(
            EnvironmentLoop(
                parts.evaluation_environment, self._evaluation_actor, self._should_stop
            ),
            predictor=parts.predictor,
            figure_maker=parts.figure_maker,
            context=self._experiment.context_frames,
            imagined=self._experiment.imagined_frames,
            num_videos=self._experiment.evaluation_videos,
            directory=self._logdir / "videos",
        )

    # The loop.

    def _run(self) -> bool:
        finished = self._train()
        self._save()
        self._exporter.save(self._logdir / "policy" / "last")
        return finished

    def _train(self) -> bool:
        try:
            while True:
                self._learn()
                if self._evaluation_due():
                    self._evaluate()
                if self.finished:
                    return True
                self._collect()
                self._save_if_due()
        except Interrupted:
            return False

    def _updates_due(self) -> int:
        due = self._builder.schedule.updates_due(self._state.episodes, self._state.step)
        return max(0, due - self._state.updates)

    def _learn(self) -> None:
        """Does the updates that come before the next episode."""
        if (due := self._updates_due()) == 0:
            return
        self._check_replay()
        start = time.monotonic()
        batches = TimedIterator(self._dataset.take(due), self._replay.client)
        for batch in batches:
            self._state.measure(self._parts.learner.step(batch))
            self._write_priorities()
            self._state.updates += 1
            self._tick()
            if self._should_stop():
                raise Interrupted
        self._state.measure(
            {
                "learner/wait_share": batches.report().share,
                "learner/updates_per_second": due / (time.monotonic() - start),
            }
        )
        self._save_if_due()

    def _write_priorities(self) -> None:
        priorities = self._parts.learner.take_priorities()
        if priorities is not None:
            table = self._builder.dataset_options.table
            self._replay.client.update_priorities(table, *priorities)

    def _check_replay(self) -> None:
        table = self._builder.dataset_options.table
        if self._replay.size(table) == 0:
            raise UserError(
                f"replay table '{table}' is empty after {self._state.episodes} episodes; expected "
                "episodes at least as long as the agent's sequence_length"
            )

    def _collect(self) -> None:
        """Plays an episode in each environment and writes it to replay."""
        state, environment = self._state, self._environment
        seeding = state.episodes < self._builder.schedule.seed_episodes
        actor = self._seed_actor if seeding else self._actor
        loop = EnvironmentLoop(environment, actor, self._should_stop)
        at_a_time = self._experiment.collected_episodes or environment.batch_size
        count = min(at_a_time, self._experiment.num_episodes - state.episodes)
        start = time.monotonic()
        episodes = undone_when_interrupted(
            environment, actor, lambda: loop.run(count, on_step=self._tick)
        )
        seconds = time.monotonic() - start
        steps = sum(episode.length for episode in episodes)
        state.step += steps
        state.episodes += len(episodes)
        state.last_return = sum(episode.episode_return for episode in episodes) / len(episodes)
        state.measure(
            {
                "episode/return": state.last_return,
                "episode/length": steps / len(episodes),
                "actor/steps_per_second": steps / seconds,
                **{f"actor/{part}_share": spent / seconds for part, spent in loop.seconds.items()},
            }
        )
        self._report()

    def _evaluation_due(self) -> bool:
        state, interval = self._state, self._experiment.evaluation_interval
        if state.updates == 0 or state.episodes == state.evaluated_episodes:
            return False
        passed = state.episodes // interval > state.evaluated_episodes // interval
        return passed or state.episodes >= self._experiment.num_episodes

    def _evaluate(self) -> None:
        state = self._state
        count, label = self._experiment.evaluation_episodes, f"{state.episodes:06d}"
        episodes, pictures = undone_when_interrupted(
            self._parts.evaluation_environment,
            self._evaluation_actor,
            lambda: self._evaluator.run(count, label, self._evaluating),
        )
        result = summary.evaluation_result([episode.episode_return for episode in episodes])
        is_best = state.record_evaluation(result)
        state.measure(
            {
                "evaluation/return": result["mean"],
                "evaluation/standard_error": result["standard_error"] or 0.0,
            }
        )
        self._report()
        with harmless("no pictures in TensorBoard"):
            for name, picture in pictures.items():
                self._logger.image(name, picture, state.step)
        if is_best:
            self._exporter.save(self._logdir / "policy" / "best")
        self._write_summary()

    def _evaluating(self, steps: int) -> None:
        self._tick(doing=f"evaluating, step {steps}")

    # Checkpoints.

    def _save(self) -> None:
        self._tick()
        state = {
            "run": self._state.as_dict(),
            "calls": [actor.calls for actor in self._actors()],
            "environment": self._environment.random_state(),
            "evaluation_environment": self._parts.evaluation_environment.random_state(),
        }
        trackables = {"learner": self._parts.learner}
        self._checkpoints.save(self._state.step, trackables, state, self._replay)
        self._write_summary()
        self._saved_at = time.monotonic()

    def _resume(self, unit: Unit) -> None:
        unit.restore({"learner": self._parts.learner})
        with restoring(unit):
            self._state = RunState(**unit.state["run"])
            for actor, calls in zip(self._actors(), unit.state["calls"], strict=True):
                actor.calls = calls
            self._environment.set_random_state(unit.state["environment"])
            _set_as_many(self._parts.evaluation_environment, unit.state["evaluation_environment"])

    def _actors(self) -> list[Actor]:
        return [self._seed_actor, self._actor, self._evaluation_actor]


def _set_as_many(environment: BatchedEnvironment, states: list[Any]) -> None:
    """Restores random states; the number of environments may have changed since."""
    own = environment.random_state()
    environment.set_random_state([*states, *own[len(states) :]][: len(own)])
