"""The one interface that pipelines know: a builder makes every part of an agent.

    environment → EnvironmentLoop → Actor.observe → Adder → reverb.Table
         ↑                                                      ↓
       Policy (planner) ← network's variables ← Learner.step ← tf.data

A launcher (`pipelines/local.py`) wires the parts; it never knows which agent it runs.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import reverb
import sonnet as snt
import tensorflow as tf
import tree
from acme import specs

from agents.learner import Learner
from agents.policy import Policy, RandomPolicy
from agents.types import Sample, Trajectory

# (frames uint8 [T, H, W, C], actions [T, ...], context) → frames uint8 [T, H, W, C]
OpenLoopPredictor = Callable[[np.ndarray, np.ndarray, int], np.ndarray]

# (observations [L + 1, …], or nests of them, and actions [L, …] of episodes that nothing was
# learned from) → pictures uint8 [H, W, 3] by name
FigureMaker = Callable[[Sequence[Any], Sequence[np.ndarray]], dict[str, np.ndarray]]


# A batch → a batch of the same nest, shapes and types.
DatasetTransform = Callable[[Trajectory], Trajectory] | Callable[[Sample], Sample]


class Schedule(NamedTuple):
    """How acting and learning take turns.

    Attributes:
      seed_episodes: collected by the random policy before the first update.
      updates_per_episode: done for every episode, seed episodes apart, before it is collected.
      updates_per_step: done for every environment step, those of seed episodes included, after
        the episode it belongs to.
    """

    seed_episodes: int
    updates_per_episode: int = 0
    updates_per_step: float = 0.0

    def updates_due(self, episodes: int, steps: int) -> int:
        """Updates that come before the next episode, after `episodes` of `steps` in all."""
        if episodes < self.seed_episodes:
            return 0
        per_episode = (episodes - self.seed_episodes + 1) * self.updates_per_episode
        return per_episode + math.floor(self.updates_per_step * steps)


class DatasetOptions(NamedTuple):
    """What the learner reads.

    Attributes:
      table: name of the replay table.
      batch_size: B, trajectories a batch; None: each element is the whole table, its items one
        behind the other in the order they were written. Such a table's sampler is `ring`.
      prioritized: the batches are `Sample`s: trajectories with their keys and probabilities. Not
        for whole tables.
    """

    table: str
    batch_size: int | None
    prioritized: bool = False


class Builder(abc.ABC):
    """Makes the parts of one agent. Methods raise ValueError where the environment does not fit.

    Attributes:
      name: the agent's, as in summaries and checkpoints.
      schedule: how acting and learning take turns.
      dataset_options: what the learner reads.
      extras: names of the policies' info that are recorded with each action, those of the seed
        policy included.
    """

    name: str
    schedule: Schedule
    dataset_options: DatasetOptions
    extras: Sequence[str] = ()

    @abc.abstractmethod
    def make_networks(self, spec: specs.EnvironmentSpec, seed: int) -> snt.Module:
        """Makes all networks, variables included."""

    @abc.abstractmethod
    def make_tables(self, spec: specs.EnvironmentSpec) -> list[reverb.Table]:
        """Makes the replay tables: signature, selectors, size, rate limiter."""

    @abc.abstractmethod
    def make_adder(self, client: reverb.Client) -> Any:
        """Makes the Acme adder that writes to these tables."""

    @abc.abstractmethod
    def make_learner(self, networks: snt.Module, seed: int) -> Learner:
        """Makes the learner of `networks`."""

    def make_dataset_transform(self, learner: Learner) -> DatasetTransform | None:
        """Makes the stage between replay and learner, such as a search with fresh parameters.

        It is applied to each batch in the dataset's threads, beside the learner.
        """
        return None

    @abc.abstractmethod
    def make_policy(
        self, networks: snt.Module, spec: specs.EnvironmentSpec, evaluation: bool
    ) -> Policy:
        """Makes the policy over `networks`; one for evaluation does not explore."""

    def make_seed_policy(self, spec: specs.EnvironmentSpec) -> Policy:
        """Makes the policy of the seed episodes: uniformly random."""
        low, high = spec.actions.minimum, spec.actions.maximum
        return RandomPolicy(tensor_spec(spec.observations), tensor_spec(spec.actions), low, high)

    def make_open_loop_predictor(self, networks: snt.Module) -> OpenLoopPredictor | None:
        """Makes a function that imagines frames, for models that predict observations."""
        return None

    def make_figure_maker(self, networks: snt.Module) -> FigureMaker | None:
        """Makes a function that draws what evaluation episodes show about the networks."""
        return None


class PlannerBuilder(abc.ABC):
    """Makes an agent that learns nothing: its policy plans in the environments' own simulators.

    Attributes:
      name: the agent's, as in summaries and checkpoints.
    """

    name: str

    @abc.abstractmethod
    def make_policy(self, environments: Sequence[Any]) -> Policy:
        """Makes the policy whose row b acts in `environments[b]` and plans from where it is.

        It carries no state from step to step: a resume does known actions again without asking it.

        Raises:
          ValueError: the environments do not fit.
        """


def tensor_spec(spec: Any) -> Any:
    """The TensorSpec of each array of an environment's spec, in the same nest."""
    return tree.map_structure(lambda leaf: tf.TensorSpec(leaf.shape, leaf.dtype, leaf.name), spec)


def single_array(spec: Any, agent: str) -> specs.Array:
    """The observations' spec, for agents that see one array.

    Raises:
      ValueError: it is a nest of several.
    """
    if isinstance(spec, specs.Array):
        return spec
    parts = ", ".join("_".join(map(str, path)) for path, _ in tree.flatten_with_path(spec))
    raise ValueError(f"{agent} needs observations of one array, got several: {parts}")


def unit_actions(spec: Any, agent: str) -> specs.BoundedArray:
    """The actions' spec, for agents that act with numbers in [−1, 1].

    Raises:
      ValueError: they are others. Environments rescale theirs (`control_suite`).
    """
    if not isinstance(spec, specs.BoundedArray) or spec.dtype != np.float32 or len(spec.shape) != 1:
        raise ValueError(f"{agent} needs continuous bounded actions, got {spec}")
    bounds = (np.broadcast_to(bound, spec.shape) for bound in (spec.minimum, spec.maximum))
    for low, high in zip(*bounds, strict=True):
        if (low, high) != (-1, 1):
            raise ValueError(f"{agent} needs actions in [−1, 1], got one in [{low:g}, {high:g}]")
    return spec
