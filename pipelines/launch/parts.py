"""The parts of a run by role: tables, learners, actors, evaluator, each made alone.

Whoever makes a part needs the experiment and the run's seed, and nothing of the other parts but
their addresses: a launcher wires them in one process (`local.py`) or in many.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import reverb
import sonnet as snt
import tensorflow as tf
from acme import specs

from agents import replicas
from agents.actor import Actor
from agents.builder import Role, Stage
from agents.learner import Learner
from agents.policy import Policy
from agents.transform import Transform
from pipelines.acting.environment_loop import EnvironmentLoop
from pipelines.configuration.experiment import Experiment
from pipelines.environments import BatchedEnvironment, make_environment_spec
from pipelines.evaluation.evaluator import Evaluator
from pipelines.launch.learning import Learning, RemoteTransform
from pipelines.launch.seeds import Seeds
from pipelines.replay.adders import EpisodeBuffer, StepAdder
from pipelines.replay.client import Client
from pipelines.replay.server import Replay
from pipelines.serving.export import Exporter
from pipelines.serving.world import WorldExporter
from pipelines.system.errors import UserError, naming_misfits

MAX_EVALUATION_ENVIRONMENTS = 10


class Parts:
    """Makes the parts of one run; two calls make two parts that are equal.

    Args:
      experiment: of the run.
      seed: of the run.
      again: see `Seeds`.
      strategy: of the networks and the learners, see `make_strategy`; None: there is none.

    Attributes:
      stages: of the agent.
      seeds: of the run.

    Every method raises UserError where agent and environment do not fit together.
    """

    def __init__(
        self,
        experiment: Experiment,
        seed: int,
        again: int = 0,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        self._experiment, self._builder = experiment, experiment.builder
        self._strategy = strategy
        self.stages: Sequence[Stage] = self._builder.make_stages()
        self.seeds = Seeds(seed, again)

    def environments(self, rows: range | None = None) -> BatchedEnvironment:
        """The environments to collect in; `rows` of them, None: all."""
        rows = range(self._experiment.num_environments) if rows is None else rows
        return make_environments(self._experiment.environment, self.seeds, "environment", rows)

    def evaluation_environments(
        self, most: int = MAX_EVALUATION_ENVIRONMENTS
    ) -> BatchedEnvironment:
        """Apart, so that evaluations change nothing in training; as many as have an episode."""
        count = min(self._experiment.evaluation_episodes, most)
        return make_environments(
            evaluation_factory(self._experiment), self.seeds, "evaluation_environment", range(count)
        )

    def networks(self, spec: specs.EnvironmentSpec) -> snt.Module:
        """All networks, with the weights that a run of this seed begins with."""
        with naming_misfits(), self._scope():
            return self._builder.make_networks(spec, self.seeds.of("networks"))

    def tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """The replay tables of all stages, each name once; see `Stage.make_tables`."""
        tables: dict[str, reverb.Table] = {}
        with naming_misfits():
            for stage in self.stages:
                for table in stage.make_tables(spec, paced):
                    tables.setdefault(table.name, table)
        return list(tables.values())

    def learning(
        self,
        stage: Stage,
        networks: snt.Module,
        replay: Replay | None,
        should_stop: Callable[[], bool],
        pooled: Callable[[Transform], RemoteTransform] | None = None,
        rows: int | None = None,
    ) -> Learning:
        """Learner, transform and data of a stage.

        Args:
          stage, replay, should_stop, pooled: see `Learning`.
          networks: of all stages.
          rows: environments of all collectors; None: those of one.
        """
        place = self.stages.index(stage)
        with naming_misfits(), self._scope():
            learner = stage.make_learner(networks, self.seeds.of("learner", place))
            self._check_batches(stage, learner, rows or self._experiment.num_environments)
            transform = self.transform(stage, networks)
            if self._experiment.compile_updates:
                self._compile(learner)
        return Learning(
            stage,
            learner,
            transform,
            replay,
            self.seeds.of("dataset", place),
            should_stop,
            self._experiment.updates_per_call,
            pooled,
        )

    def transform(self, stage: Stage, networks: snt.Module) -> Transform | None:
        """What stands between a stage's replay and its learner; None: nothing."""
        with naming_misfits():
            seed = self.seeds.of("transform", self.stages.index(stage))
            return stage.make_transform(networks, seed)

    def _scope(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext() if self._strategy is None else self._strategy.scope()

    def _check_batches(self, stage: Stage, learner: Learner, rows: int) -> None:
        """Raises ValueError where batches of known size are too small, or cannot be divided."""
        options, size = stage.dataset_options, None
        if options is not None and not learner.varying:
            size = options.batch_size or rows
            learner.check_batch(size)
        if self._strategy is None:
            return
        if learner.indivisible is not None:
            raise ValueError(
                f"Experiment.strategy is {self._experiment.strategy!r}, but {self._builder.name} "
                f"learns on one device: {learner.indivisible}; expected 'none'"
            )
        if learner.varying and self._experiment.strategy == "tpu":
            raise ValueError(
                f"Experiment.strategy is 'tpu', but batches of {self._builder.name} differ in "
                "size, and a program would be compiled for each; expected 'none' or 'mirrored'"
            )
        if size is not None:
            replicas.check_divides(size, self._strategy.num_replicas_in_sync)

    def _compile(self, learner: Learner) -> None:
        strategy = self._experiment.strategy
        if strategy == "mirrored":
            raise ValueError(
                "Experiment.compile_updates is True, but Experiment.strategy is 'mirrored', whose "
                "replicas meet in mid-update; expected False"
            )
        if learner.varying:
            raise ValueError(
                f"Experiment.compile_updates is True, but batches of {self._builder.name} differ "
                "in size, and a program would be compiled for each; expected False"
            )
        if strategy == "none":
            learner.compile()

    def actors(
        self,
        stage: Stage,
        networks: snt.Module,
        spec: specs.EnvironmentSpec,
        role: Role,
        client: Client,
    ) -> tuple[Actor, Actor]:
        """Who acts before the first update, and who after it, in the role's rows."""
        place = self.stages.index(stage)
        with naming_misfits():
            seed_policy = stage.make_seed_policy(spec)
            policy = stage.make_policy(networks, spec, role)
            adders = _make_adders(stage, client, len(role.rows))

        def actor_of(policy: Policy, stream: str) -> Actor:
            seed = self.seeds.of(stream, place, role.rows.start)
            return Actor(policy, len(role.rows), seed, adders, stage.extras)

        actor = actor_of(policy, "actor")
        return actor if seed_policy is None else actor_of(seed_policy, "seed_actor"), actor

    def planning_actor(
        self, networks: snt.Module, spec: specs.EnvironmentSpec, role: Role
    ) -> Actor:
        """Who acts where nothing is learned, or judges: nothing is written."""
        stream = "evaluation_actor" if role.evaluation else "actor"
        return Actor(self.policy(networks, spec, role), len(role.rows), self.seeds.of(stream))

    def policy(self, networks: snt.Module, spec: specs.EnvironmentSpec, role: Role) -> Policy:
        """The policy that is evaluated."""
        with naming_misfits():
            return self._builder.make_policy(networks, spec, role)

    def exporter(self, networks: snt.Module, spec: specs.EnvironmentSpec) -> Exporter | None:
        """Writes the policy that is served, as its variables are then; None: there is none."""
        with naming_misfits():
            served = self._builder.make_served(networks, spec)
        how = self._experiment.export_native, self._experiment.export_compiled
        return None if served is None else Exporter(served, *how)

    def world_exporter(self, networks: snt.Module) -> WorldExporter | None:
        """Writes the learned world; None: there is none."""
        world = self._builder.make_world(networks)
        return None if world is None else WorldExporter(world)

    def evaluator(
        self, networks: snt.Module, loop: EnvironmentLoop, actor: Actor, directory: pathlib.Path
    ) -> Evaluator:
        """Plays evaluations in the loop's environments, films them into `directory`."""
        experiment = self._experiment
        return Evaluator(
            loop,
            actor,
            predictor=self._builder.make_open_loop_predictor(networks),
            figure_maker=self._builder.make_figure_maker(networks),
            context=experiment.context_frames,
            imagined=experiment.imagined_frames,
            num_videos=experiment.evaluation_videos,
            directory=directory,
        )


def _make_adders(stage: Stage, client: Client, count: int) -> list[Any]:
    makers = stage.adder_makers(client, count)
    if stage.schedule.rollout is None:
        return [EpisodeBuffer(make()) for make in makers]
    return [StepAdder(make, client) for make in makers]


def evaluation_factory(experiment: Experiment) -> Callable[..., Any]:
    """What makes the environments that an experiment is evaluated in."""
    return experiment.evaluation_environment or experiment.environment


def make_environments(
    factory: Callable[..., Any], seeds: Seeds, stream: str, rows: range
) -> BatchedEnvironment:
    """Makes environments, those of `rows` of all that draw from the stream."""
    with naming_misfits():
        return BatchedEnvironment([factory(seed=seeds.of_environment(stream, row)) for row in rows])


def make_role(environment: BatchedEnvironment, evaluation: bool = False) -> Role:
    """The role of who acts in all rows of a run, which are these environments."""
    rows = range(environment.batch_size)
    offered = [getattr(each, "simulator", None) for each in environment.environments]
    simulators = [make() for make in offered if make is not None]
    return Role(evaluation, rows, len(rows), simulators if len(simulators) == len(rows) else ())


def spec_of(
    environment: BatchedEnvironment, evaluation: BatchedEnvironment
) -> specs.EnvironmentSpec:
    """The spec of environments to collect in, which those of evaluations share.

    Raises:
      UserError: they do not.
    """
    for name in ("observation_spec", "action_spec"):
        expected, found = getattr(environment, name)(), getattr(evaluation, name)()
        if found != expected:
            raise UserError(
                f"{name} of Experiment.evaluation_environment ({evaluation.name}) is {found}; "
                f"expected that of Experiment.environment ({environment.name}), {expected}"
            )
    return make_environment_spec(environment)
