"""What a builder makes for one run, and the environments it is made for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import reverb

from agents.builder import FigureMaker, OpenLoopPredictor
from agents.learner import Learner
from agents.policy import Policy
from pipelines.configuration.experiment import Experiment
from pipelines.environments import BatchedEnvironment, make_environment_spec
from pipelines.system.errors import UserError, first_line

MAX_EVALUATION_ENVIRONMENTS = 10

# Each part of a run draws from a stream of random numbers of its own.
_STREAMS = ("networks", "learner", "seed_actor", "actor", "evaluation_actor")


class Parts(NamedTuple):
    """The parts of a run, not yet connected: nothing runs, nothing is written.

    Attributes:
      environment: B environments to collect in.
      evaluation_environment: apart, so that evaluations change nothing in training.
      learner: with the networks inside.
      tables: of the replay.
      policy: for collecting.
      seed_policy: for the episodes before learning.
      evaluation_policy: without exploration; the one that is exported.
      predictor: imagines frames; None: this agent does not.
      figure_maker: draws what evaluation episodes show; None: nothing.
      seeds: of each stream of random numbers.
    """

    environment: BatchedEnvironment
    evaluation_environment: BatchedEnvironment
    learner: Learner
    tables: list[reverb.Table]
    policy: Policy
    seed_policy: Policy
    evaluation_policy: Policy
    predictor: OpenLoopPredictor | None
    figure_maker: FigureMaker | None
    seeds: dict[str, int]


def make_parts(experiment: Experiment, seed: int) -> Parts:
    """Makes every part of a run.

    Raises:
      UserError: agent and environment do not fit together.
    """
    try:
        return _make_parts(experiment, seed)
    except ValueError as error:
        raise UserError(first_line(error)) from error


def make_environments(
    experiment: Experiment, count: int, seed: int, evaluation: bool = False
) -> BatchedEnvironment:
    """Makes `count` environments; each has a seed of its own, from `seed` upwards, modulo 2³²."""
    factory = experiment.environment
    if evaluation and experiment.evaluation_environment is not None:
        factory = experiment.evaluation_environment
    return BatchedEnvironment([factory(seed=(seed + i) % 2**32) for i in range(count)])


def _make_parts(experiment: Experiment, seed: int) -> Parts:
    builder, seeds = experiment.builder, stream_seeds(seed)
    num_evaluation = min(experiment.evaluation_episodes, MAX_EVALUATION_ENVIRONMENTS)
    environment = make_environments(experiment, experiment.num_environments, seed)
    spec = make_environment_spec(environment.environments[0])
    evaluation_environment = make_environments(
        experiment, num_evaluation, seed + experiment.num_environments, evaluation=True
    )
    _check_equal_specs(environment, evaluation_environment)
    networks = builder.make_networks(spec, seeds["networks"])
    return Parts(
        environment=environment,
        evaluation_environment=evaluation_environment,
        learner=builder.make_learner(networks, seeds["learner"]),
        tables=builder.make_tables(spec),
        policy=builder.make_policy(networks, spec, evaluation=False),
        seed_policy=builder.make_seed_policy(spec),
        evaluation_policy=builder.make_policy(networks, spec, evaluation=True),
        predictor=builder.make_open_loop_predictor(networks),
        figure_maker=builder.make_figure_maker(networks),
        seeds=seeds,
    )


def _check_equal_specs(environment: BatchedEnvironment, evaluation: BatchedEnvironment) -> None:
    for name in ("observation_spec", "action_spec"):
        expected, found = getattr(environment, name)(), getattr(evaluation, name)()
        if found != expected:
            raise UserError(
                f"{name} of Experiment.evaluation_environment ({evaluation.name}) is {found}; "
                f"expected that of Experiment.environment ({environment.name}), {expected}"
            )


def stream_seeds(seed: int) -> dict[str, int]:
    """A seed for each stream of random numbers of a run."""
    values = np.random.SeedSequence(seed).generate_state(len(_STREAMS)) & 0x7FFFFFFF
    return dict(zip(_STREAMS, map(int, values), strict=True))
