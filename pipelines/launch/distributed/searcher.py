"""A searcher's process: it applies the agent's transform to batches that the learner hands out."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ray
import tensorflow as tf

from pipelines.configuration.experiment import Experiment
from pipelines.launch.distributed.messages import Job, Searched
from pipelines.launch.distributed.pool import own_variables
from pipelines.launch.parts import Parts, spec_of

# How long a searcher without a job waits before it asks again, in seconds.
_NAP = 0.02


class Searcher:
    """Holds a transform with its own copy of the variables; keeps nothing that is worth saving.

    Args:
      experiment: of the run.
      seed: of the run.
      ask: takes what was done, None as the first thing, and returns the next job.
      get: makes values of what a job carries.
    """

    def __init__(
        self,
        experiment: Experiment,
        seed: int,
        ask: Callable[[Searched | None], Job | None],
        get: Callable[[Any], Any] = ray.get,
    ) -> None:
        self._ask, self._get = ask, get
        parts = Parts(experiment, seed)
        spec = spec_of(parts.environments(range(1)), parts.evaluation_environments(1))
        networks = parts.networks(spec)
        transform = parts.transform(parts.stages[0], networks)
        self._apply = tf.function(transform, autograph=False)
        self._own = own_variables(transform, networks)
        self._version = -1

    def run(self) -> None:
        """Goes on until `ask` raises, since the learner is gone."""
        searched, since, waited = None, time.monotonic(), 0.0
        while True:
            job = self._ask(searched)
            if job is None:
                searched = Searched()
                time.sleep(_NAP)
                waited += _NAP
                continue
            searched = self._do(job)
            now = time.monotonic()
            searched = searched._replace(wait_share=waited / (now - since))
            since, waited = now, 0.0

    def _do(self, job: Job) -> Searched:
        if job.version != self._version:
            for variable, value in zip(self._own, self._get(job.variables[0]), strict=True):
                variable.assign(value)
            self._version = job.version
        batch = tf.nest.map_structure(tf.convert_to_tensor, self._get(job.batch[0]))
        found = self._apply(batch, tf.constant(job.number, tf.int64))
        return Searched(job.number, tf.nest.map_structure(lambda leaf: leaf.numpy(), found))
