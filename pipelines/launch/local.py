"""Runs a builder's agent in one process: acting, learning and replay take turns.

    stage by stage, until the run is long enough:
        updates due before the next round        replay → dataset → Learner.step
        gate, evaluation, export when due
        one round of episodes, or of steps       Policy → environment → Adder → replay
        checkpoint when due

What comes next depends only on counters and random states, and a checkpoint holds all of them, with
the episodes in progress as their beginning and what was done since: a run that is stopped and
started again does what it would have done. An agent without stages plays rounds alone, and these
are its evaluation.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from agents.actor import Actor
from agents.builder import Counters, Schedule, Stage
from pipelines.acting.environment_loop import EnvironmentLoop
from pipelines.acting.row import Episode
from pipelines.environments import BatchedEnvironment
from pipelines.launch.base_run import BaseRun, restoring
from pipelines.launch.champion import Champion
from pipelines.launch.parts import Parts, make_role, spec_of
from pipelines.launch.run_state import RunState
from pipelines.launch.strategies import make_strategy
from pipelines.logdir import exported, summary
from pipelines.logdir.checkpointing import Unit
from pipelines.replay.server import Replay
from pipelines.system.errors import Interrupted, UserError, harmless


class LocalRun(BaseRun):
    """One run; see `BaseRun`."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do, the last policy's export included."""
        return self._trained and not self._export_due()

    @property
    def _trained(self) -> bool:
        over = self._long_enough() or self._state.cycle >= max(1, self._builder.cycles)
        return over and self._updates_due() == 0 and not self._evaluation_due()

    # What runs while the run does.

    def _make(self) -> None:
        if self._experiment.deterministic:
            tf.config.experimental.enable_op_determinism()
        strategy = make_strategy(self._experiment)
        self._parts = parts = Parts(self._experiment, self._seed, strategy=strategy)
        self._stages = parts.stages
        self._filled: set[str] = set()
        self._environment = parts.environments()
        # What only plans is evaluated where it plays.
        self._judging = parts.evaluation_environments() if self._stages else self._environment
        self._spec = spec_of(self._environment, self._judging)
        self._networks = parts.networks(self._spec)
        self._champion = Champion(
            self._experiment, parts, self._spec, self._networks, self._should_stop
        )
        self._acting = self._champion.networks
        self._tables = parts.tables(self._spec)
        self._loop = EnvironmentLoop(self._environment, self._should_stop)
        role = make_role(self._judging, evaluation=True)
        self._judge = parts.planning_actor(self._acting, self._spec, role)
        self._exporter = parts.exporter(self._acting, self._spec)
        self._world_exporter = parts.world_exporter(self._acting)

    def _open(self, unit: Unit | None, opened: contextlib.ExitStack) -> None:
        self._replay = None
        if self._tables:
            self._replay = Replay(
                self._tables,
                self._logdir / "replay",
                address=self._experiment.replay_address,
                port=self._experiment.replay_port,
                public=self._experiment.replay_public,
                restore_from=unit.replay if unit else None,
                timeout_s=self._experiment.replay_timeout,
                should_stop=self._should_stop,
            )
            opened.callback(self._replay.close)
        self._connect()
        if unit is not None:
            self._resume(unit)

    def _connect(self) -> None:
        """Makes the parts that write to the replay or read from it, and what judges them."""
        parts, role = self._parts, make_role(self._environment)
        client = self._replay.client if self._replay else None
        self._learning = [
            parts.learning(stage, self._networks, self._replay, self._should_stop)
            for stage in self._stages
        ]
        self._actors = [
            parts.actors(stage, self._acting, self._spec, role, client)
            if stage.schedule.collects
            else ()
            for stage in self._stages
        ]
        judging = EnvironmentLoop(self._judging, self._should_stop)
        self._evaluator = parts.evaluator(
            self._acting, judging, self._judge, self._logdir / "videos"
        )

    # The loop.

    def _run(self) -> bool:
        finished = self._train()
        self._save()
        self._export("last")
        return finished

    def _train(self) -> bool:
        try:
            while True:
                self._learn()
                self._pass_gate()
                if self._evaluation_due():
                    self._evaluate()
                changed = self._change_stage()
                if self._trained:
                    return True
                if changed:
                    continue
                self._collect()
                # An episode of a planner may have taken hours.
                self._save_if_due() if self._stages else self._save()
        except Interrupted:
            return False

    @property
    def _stage(self) -> Stage | None:
        return self._stages[self._state.stage] if self._stages else None

    def _schedule(self) -> tuple[Schedule, Counters]:
        """The stage's, and how far it is."""
        schedule = self._stage.schedule_in(self._state.cycle) if self._stage else Schedule()
        done = self._state.of_stage()
        return schedule, done._replace(rollouts=done.rounds * self._environment.batch_size)

    def _updates_due(self) -> int:
        schedule, done = self._schedule()
        return schedule.updates_due(done)

    def _stage_over(self) -> bool:
        schedule, done = self._schedule()
        return schedule.over(done) and schedule.updates_due(done) == 0

    def _change_stage(self) -> bool:
        """Goes on to the next stage where this one is over; returns whether it was."""
        if not self._stages or not self._stage_over() or self._long_enough():
            return False
        self._loop.abandon()
        for actor in self._actors[self._state.stage]:
            actor.abandon()
        self._state.next_stage(len(self._stages))
        return True

    def _learn(self) -> None:
        """Does the updates that come before the next round."""
        if (due := self._updates_due()) == 0:
            return
        self._check_replay()
        learning = self._learning[self._state.stage]
        for update, count in learning.updates(due):
            self._state.measure(update.metrics)
            self._state.updates += count
            self._tick()
            if self._should_stop():
                raise Interrupted
            if self._experiment.checkpoint_minutes > 0:  # A stage of updates may take hours.
                self._save_if_due()
        self._state.measure(learning.measured)
        self._save_if_due()

    def _check_replay(self) -> None:
        options = self._stage.dataset_options
        if options is None or options.table in self._filled:
            return
        self._filled.add(options.table)
        if self._replay.size(options.table) == 0:
            raise UserError(
                f"replay table '{options.table}' is empty after {self._state.episodes} episodes "
                f"and {self._state.step} steps, when an update is due; expected more of either "
                "before the first one, so that there is an item to learn from"
            )

    def _pass_gate(self) -> None:
        """Lets who learns play against who collects, when that is due."""
        state = self._state
        if self._champion.due(state.updates, state.gated_updates):
            self._tick(doing="playing for the gate")
            met = self._champion.meet(state.updates)
            state.generation += int(met["gate/adopted"])
            state.measure({**met, "gate/generation": state.generation})
            state.gated_updates = state.updates

    def _collect(self) -> None:
        """Plays a round: an episode in each environment, or so many steps, and writes it."""
        state = self._state
        schedule, done = self._schedule()
        state.rounds += 0 if schedule.collects else 1
        if not schedule.collects:
            return
        actor, start = self._who_acts(schedule, done), time.monotonic()
        before = dict(self._loop.seconds)
        if schedule.rollout is not None:
            episodes, steps = self._loop.rollout(actor, schedule.rollout, self._tick)
        else:
            filmed = 0 if self._stages else self._experiment.evaluation_videos - state.episodes
            episodes = self._loop.run(
                actor, self._episodes_at_a_time(), max(0, filmed), self._stepped
            )
            steps = sum(episode.length for episode in episodes)
        seconds = time.monotonic() - start
        spent = {part: total - before[part] for part, total in self._loop.seconds.items()}
        state.measure(
            {
                "actor/steps_per_second": steps / seconds,
                **{f"actor/{part}_share": time / seconds for part, time in spent.items()},
                **actor.policy.measurements(),
            }
        )
        self._count(episodes, steps)

    def _who_acts(self, schedule: Schedule, done: Counters) -> Actor:
        if self._stage is None:
            return self._judge
        seed_actor, actor = self._actors[self._state.stage]
        return seed_actor if schedule.seeding(done) else actor

    def _episodes_at_a_time(self) -> int:
        count = self._experiment.collected_episodes or self._environment.batch_size
        if self._experiment.num_steps is not None:
            return count
        return min(count, self._experiment.num_episodes - self._state.episodes)

    def _stepped(self, steps: int) -> None:
        self._tick(steps)
        if self._experiment.checkpoint_minutes > 0 or not self._stages:
            self._save_if_due()

    def _count(self, episodes: Sequence[Episode], steps: int) -> None:
        state = self._state
        state.rounds += 1
        state.step += steps
        state.episodes += len(episodes)
        for episode in episodes:
            state.measure({"episode/return": episode.episode_return})
            state.measure({"episode/length": episode.length})
        if episodes:
            state.last_return = sum(each.episode_return for each in episodes) / len(episodes)
        if not self._stages:
            self._count_as_evaluation(episodes)
        if episodes and self._report_due():
            self._report()

    def _count_as_evaluation(self, episodes: Sequence[Episode]) -> None:
        """Of an agent that only plans, the last evaluation is of all episodes so far."""
        state = self._state
        label = f"{state.episodes - len(episodes):06d}"
        self._evaluator.film(episodes, label)
        state.returns += [episode.episode_return for episode in episodes]
        result = summary.evaluation_result(state.returns)
        state.record_evaluation(result, self._position())
        state.best_evaluation = result
        self._measure_evaluation(result)

    # Evaluation.

    def _evaluation_due(self) -> bool:
        state, interval = self._state, self._experiment.evaluation_interval
        if not self._stages or state.updates == state.evaluated_updates:
            return False
        passed = self._position() // interval > state.evaluated_at // interval
        return passed or self._long_enough() or (self._stage.evaluated and self._stage_over())

    def _evaluate(self) -> None:
        state = self._state
        evaluation = self._evaluator.run(
            self._experiment.evaluation_episodes, f"{self._position():06d}", self._evaluating
        )
        returns = [episode.episode_return for episode in evaluation.episodes]
        result = summary.evaluation_result(returns)
        is_best = state.record_evaluation(result, self._position())
        self._measure_evaluation(result)
        steps = sum(episode.length for episode in evaluation.episodes)
        state.measure({"evaluation/reward": sum(returns) / steps})
        self._report()
        with harmless("no pictures in TensorBoard"):
            for name, picture in evaluation.pictures.items():
                self._logger.image(name, picture, state.step)
        if is_best:
            self._export("best")
        if self._experiment.keep_policies:
            self._export(exported.kept_at(self._position()))
        self._write_summary()

    def _evaluating(self, steps: int) -> None:
        self._tick(doing=f"evaluating, step {steps}")

    def _export(self, name: str) -> None:
        if self._world_exporter is not None:
            self._world_exporter.save(self._logdir / "world" / name)
        if self._exporter is not None:
            policy = self._logdir / "policy" / name
            self._exporter.save(policy)
            exported.note_updates(policy, self._state.updates)

    def _export_due(self) -> bool:
        """Whether a run has ended between its last checkpoint and the export."""
        there = exported.updates_of(self._logdir / "policy" / "last")
        return self._exporter is not None and there != self._state.updates

    # Checkpoints.

    def _trackables(self) -> dict[str, tf.Module]:
        trackables = {"networks": self._networks, "acting": self._acting}
        for learning in self._learning:
            trackables |= learning.trackables
        return trackables

    def _save(self) -> None:
        self._tick()
        state = {
            "run": self._state.as_dict(),
            "loop": self._loop.state(),
            "actors": [actor.state() for actor in self._all_actors()],
            "judged": self._judge.calls,
            "judging": self._judging.random_state() if self._stages else None,
            "champion": self._champion.random_state(),
        }
        self._checkpoints.save(self._state.step, self._trackables(), state, self._replay)
        self._write_summary()
        self._saved_at = time.monotonic()

    def _resume(self, unit: Unit) -> None:
        unit.restore(self._trackables())
        with restoring(unit):
            self._state = RunState(**unit.state["run"])
            if "loop" not in unit.state:  # Made by a distributed run, whose collectors begin anew.
                options = self._stage.dataset_options
                if options is not None and options.queue:
                    self._state.count_from_here()  # A round was one of all its collectors.
                return
            self._loop.restore(unit.state["loop"], self._who_acted())
            for actor, state in zip(self._all_actors(), unit.state["actors"], strict=True):
                actor.restore(state)
            self._judge.calls = unit.state["judged"]
            if self._stages:
                _set_as_many(self._judging, unit.state["judging"])
            self._champion.set_random_state(unit.state["champion"])

    def _who_acted(self) -> Actor:
        schedule, done = self._schedule()
        return self._who_acts(schedule, done) if schedule.collects else self._judge

    def _all_actors(self) -> list[Actor]:
        """Those that may have episodes in progress."""
        judge = [] if self._stages else [self._judge]
        return judge + [actor for actors in self._actors for actor in actors]


def _set_as_many(environment: BatchedEnvironment, states: Sequence[Any]) -> None:
    """Restores random states; the number of environments may have changed since."""
    own = environment.random_state()
    environment.set_random_state([*states, *own[len(states) :]][: len(own)])
