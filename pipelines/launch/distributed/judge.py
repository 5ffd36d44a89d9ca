"""The evaluator's process: plays what is due, films it, exports the best policy."""

from __future__ import annotations

import pathlib

import ray

from pipelines.acting.environment_loop import EnvironmentLoop
from pipelines.configuration.experiment import Experiment
from pipelines.environments import make_environment_spec
from pipelines.launch.distributed.messages import Evaluated, Task
from pipelines.launch.parts import Parts, make_role
from pipelines.logdir import exported


class Judge:
    """Evaluates the variables that it is given.

    Args:
      experiment: of the run.
      seed: of the run.
      logdir: of the run; films and the best policy go there.
    """

    def __init__(self, experiment: Experiment, seed: int, logdir: str) -> None:
        self._logdir = pathlib.Path(logdir)
        self._episodes = experiment.evaluation_episodes
        parts = Parts(experiment, seed)
        environment = parts.evaluation_environments()
        spec = make_environment_spec(environment)
        self._networks = parts.networks(spec)
        actor = parts.planning_actor(self._networks, spec, make_role(environment, evaluation=True))
        self._evaluator = parts.evaluator(
            self._networks, EnvironmentLoop(environment), actor, self._logdir / "videos"
        )
        self._exporter = parts.exporter(self._networks, spec)

    def evaluate(self, task: Task) -> Evaluated:
        """Plays the evaluation."""
        values = ray.get(task.variables[0])
        for variable, value in zip(self._networks.variables, values, strict=True):
            variable.assign(value)
        found = self._evaluator.run(self._episodes, f"{task.position:06d}")
        returns = [float(episode.episode_return) for episode in found.episodes]
        return Evaluated((task.position, task.updates), returns, found.pictures)

    def export(self, name: str, updates: int) -> None:
        """Saves the policy that was evaluated last."""
        if self._exporter is not None:
            policy = self._logdir / "policy" / name
            self._exporter.save(policy)
            exported.note_updates(policy, updates)
