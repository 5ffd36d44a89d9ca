"""A collector's process: environments, a policy with its own copy of the variables, an adder each.

It asks for an order, plays a round, reports, and asks again. It keeps nothing that is worth saving:
one that loses the learner, or the replay, ends and is replaced.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import ray

from pipelines.acting.environment_loop import EnvironmentLoop
from pipelines.configuration.experiment import Experiment
from pipelines.environments import make_environment_spec
from pipelines.launch.distributed.messages import Joined, Order, Report
from pipelines.launch.parts import Parts, make_role
from pipelines.replay.client import Client

# How long a collector that is ahead waits before it asks again, in seconds.
_NAP = 0.05


class Collector:
    """Collects in rows index·B to (index + 1)·B of K·B.

    Args:
      experiment: of the run.
      seed: of the run.
      index, num_actors: which one of K this is.
      joined: what the learner said as it began.
      ask: takes a report and the version acted by, and returns the next order.
    """

    def __init__(
        self,
        experiment: Experiment,
        seed: int,
        index: int,
        num_actors: int,
        joined: Joined,
        ask: Callable[[Report, int], Order],
    ) -> None:
        self._experiment, self._ask = experiment, ask
        parts = Parts(experiment, seed, joined.again)
        stage = parts.stages[0]
        self._rollout = stage.schedule.rollout
        count = experiment.num_environments
        rows = range(index * count, (index + 1) * count)
        environment = parts.environments(rows)
        spec = make_environment_spec(environment)
        networks = parts.networks(spec)
        variables = networks.variables
        self._variables = [variables[place] for place in joined.places]
        role = make_role(environment)._replace(rows=rows, total_rows=num_actors * count)
        client = Client(joined.replay, experiment.replay_timeout)
        self._seed_actor, self._actor = parts.actors(stage, networks, spec, role, client)
        self._loop = EnvironmentLoop(environment)
        self._version = -1

    def run(self) -> None:
        """Goes on until the learner says that the run is over."""
        report, waited, since = Report(), 0.0, time.monotonic()
        while not (order := self._ask(report, self._version)).over:
            if order.variables is not None:
                self._take(order.variables, order.version)
            if order.wait:
                time.sleep(_NAP)
                waited += _NAP
                report = Report()
                continue
            report = self._collect(self._seed_actor if order.seeding else self._actor)
            now = time.monotonic()
            shares = {
                "actor/wait_share": waited / (now - since),
                "actor/steps_per_second": report.steps / (now - since),
            }
            report = report._replace(metrics={**report.metrics, **shares})
            waited, since = 0.0, now

    def _take(self, variables: Sequence[Any], version: int) -> None:
        for variable, value in zip(self._variables, ray.get(variables[0]), strict=True):
            variable.assign(value)
        self._version = version

    def _collect(self, actor: Any) -> Report:
        """Plays a round: an episode in each environment, or so many steps."""
        if self._rollout is not None:
            episodes, steps = self._loop.rollout(actor, self._rollout)
        else:
            count = self._experiment.collected_episodes or self._loop.environment.batch_size
            episodes = self._loop.run(actor, count)
            steps = sum(episode.length for episode in episodes)
        return Report(
            steps=steps,
            episodes=[(float(e.episode_return), int(e.length)) for e in episodes],
            rows=self._loop.environment.batch_size,
            metrics={name: _number(v) for name, v in actor.policy.measurements().items()},
        )


def _number(value: Any) -> float:
    return float(np.mean(value))
