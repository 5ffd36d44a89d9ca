"""The one interface that pipelines know: a builder makes every part of an agent.

    environment → EnvironmentLoop → Actor.observe → Adder → reverb.Table
         ↑                                                      ↓
       Policy (planner) ← network's variables ← Learner.step ← tf.data

An agent is one or more stages: what acts, is stored and learns together. Most have one, and are
`SingleStageBuilder`s. A run goes from stage to stage, and through all of them again where the
builder has several cycles; an agent without stages only plans. A launcher
(`pipelines/launch/local.py`) wires the parts; it never knows which agent it runs.
"""

from __future__ import annotations

import abc
import functools
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
from agents.policy import Policy, RandomPolicy, SavedNetwork
from agents.transform import Transform
from agents.types import Trajectory
from agents.world import World


class Imagined(NamedTuple):
    """What a model makes of an episode, from its first frames and the actions alone.

    Attributes:
      frames: uint8 [T, H, W, C].
      rewards: float32 [T], with which each frame came; 0 where it was seen. None: it predicts none.
    """

    frames: np.ndarray
    rewards: np.ndarray | None = None


# (frames uint8 [T, H, W, C], actions [T, ...], context) → futures, as many as the model draws
OpenLoopPredictor = Callable[[np.ndarray, np.ndarray, int], Sequence[Imagined]]

# (observations [L + 1, …], or nests of them, and actions [L, …] of episodes that nothing was
# learned from) → pictures uint8 [H, W, 3] by name
FigureMaker = Callable[[Sequence[Any], Sequence[np.ndarray]], dict[str, np.ndarray]]


class Role(NamedTuple):
    """For whom a policy is made.

    Attributes:
      evaluation: it is judged: it does not explore, and nothing is learned from it.
      rows: which rows it acts in, of all that the run collects in, so that each can explore in its
        own way (Ape-X's and R2D2's ladder of ε).
      total_rows: how many there are in all.
      simulators: what each row's environment gives to planners (`environment.simulator()`), for
        environments that do; else empty.
    """

    evaluation: bool = False
    rows: range = range(1)
    total_rows: int = 1
    simulators: Sequence[Any] = ()


class Counters(NamedTuple):
    """How far a stage is since it began.

    Environment steps, episodes, updates, rounds; `rollouts` are rounds times environments.
    """

    steps: int = 0
    episodes: int = 0
    updates: int = 0
    rounds: int = 0
    rollouts: int = 0


class Schedule(NamedTuple):
    """How acting and learning take turns: a round is collected, then learned from.

    A round is `rollout` steps in each environment, or whole episodes. Counts are those since the
    stage began.

    Attributes:
      collects: whether the stage acts at all; the rounds of one that learns from files, say, are
        updates alone, `updates_per_round` of them.
      rollout: T, rows that each environment collects in a round, the last one of an episode
        included; None: whole episodes, as many as the experiment says.
      seed_episodes, seed_steps: collected by the seed policy; the first update comes after both.
      updates_per_episode: for every episode after the `seed_episodes`, done before it is collected.
      updates_per_step: for every environment step after the `seed_steps`; those of seed episodes
        count.
      updates_per_round: after every round.
      updates_at_end: after the last one of `max_rounds`, when all is collected.
      rollouts_per_update: an update for so many rollouts, which it takes from a queue; None: none.
      max_updates, max_episodes, max_rounds: the stage ends with the round that reaches one of them;
        None: with the run.
    """

    collects: bool = True
    rollout: int | None = None
    seed_episodes: int = 0
    seed_steps: int = 0
    updates_per_episode: int = 0
    updates_per_step: float = 0.0
    updates_per_round: int = 0
    updates_at_end: int = 0
    rollouts_per_update: int | None = None
    max_updates: int | None = None
    max_episodes: int | None = None
    max_rounds: int | None = None

    def seeding(self, done: Counters) -> bool:
        """Whether the seed policy acts, and nothing is learned."""
        return done.episodes < self.seed_episodes or done.steps < self.seed_steps

    def updates_due(self, done: Counters) -> int:
        """Updates that come before the next round, `done.updates` of them done already."""
        if self.seeding(done):
            return 0
        episodes, steps = done.episodes - self.seed_episodes, done.steps - self.seed_steps
        due = (episodes + 1) * self.updates_per_episode
        due += math.floor(self.updates_per_step * steps)
        due += self.updates_per_round * done.rounds
        if self.max_rounds is not None and done.rounds >= self.max_rounds:
            due += self.updates_at_end
        if self.rollouts_per_update is not None:
            due += done.rollouts // self.rollouts_per_update
        if self.max_updates is not None:
            due = min(due, self.max_updates)
        return max(0, due - done.updates)

    def over(self, done: Counters) -> bool:
        """Whether the stage is at its end, updates that are due apart."""
        limits = (
            (done.updates, self.max_updates),
            (done.episodes, self.max_episodes),
            (done.rounds, self.max_rounds),
        )
        return any(limit is not None and count >= limit for count, limit in limits)


class DatasetOptions(NamedTuple):
    """What the learner reads from replay.

    Attributes:
      table: name of the replay table.
      batch_size: B, items a batch; None: each element is the whole table in the order it was
        written, items of one length as a batch, of others one behind the other. Such a table's
        sampler is `ring`, or it is a queue.
      prioritized: batches are `Sample`s: items with their keys and probabilities. Not for whole
        tables.
      sample_type: the named tuple that an item is, with the fields of the table's signature.
      queue: each item is learned from once (`max_times_sampled=1`), so that no batch is fetched
        before it is asked for.
      prefetch: batches kept ready where that is no queue.
    """

    table: str
    batch_size: int | None
    prioritized: bool = False
    sample_type: type[Any] = Trajectory
    queue: bool = False
    prefetch: int = 2


class Gate(NamedTuple):
    """Who collects is replaced by who learns only after a match (AlphaGo Zero, evaluator).

    For games whose players move in turns. The champion collects, and is what is evaluated and
    saved.

    Attributes:
      interval: updates between matches.
      games: of a match, each side beginning half of them.
      threshold: share of the points (a win is 1, a draw ½) above which the candidate is adopted.
    """

    interval: int
    games: int = 400
    threshold: float = 0.55


class Stage(abc.ABC):
    """Makes what acts, is stored and learns together. Methods raise ValueError for what can't be.

    Attributes:
      name: of the stage, unique within the agent.
      schedule: how acting and learning take turns.
      dataset_options: what the learner reads from replay; None: `make_dataset` gives its data.
      extras: names of the policies' info that are recorded with each action, those of the seed
        policy included; entries may be nests.
      evaluated: whether an evaluation comes at its end, and not the next stage at once.
    """

    name: str
    schedule: Schedule
    dataset_options: DatasetOptions | None = None
    extras: Sequence[str] = ()
    evaluated: bool = True

    def schedule_in(self, cycle: int) -> Schedule:
        """The schedule of a cycle; only the first one, 0, begins with seeds."""
        if cycle == 0:
            return self.schedule
        return self.schedule._replace(seed_episodes=0, seed_steps=0)

    def make_tables(
        self, spec: specs.EnvironmentSpec, paced: bool = False
    ) -> Sequence[reverb.Table]:
        """Makes the replay tables; stages that name the same table share it.

        Args:
          spec: of the environment.
          paced: actors and learner are processes of their own, so the tables' rate limiters hold
            back whoever is ahead. Otherwise the schedule decides, and no table may make wait.
        """
        return ()

    def make_adder(self, client: reverb.Client) -> Any:
        """Makes the adder (Acme's interface) that writes one environment's steps to the tables."""
        raise NotImplementedError

    def adder_makers(self, client: reverb.Client, count: int) -> list[Callable[[], Any]]:
        """Each makes the adder of one of `count` environments, and again if it is to forget."""
        return [functools.partial(self.make_adder, client)] * count

    def make_dataset(self, seed: int, first_update: int) -> tf.data.Dataset:
        """Makes the dataset of a stage that reads no table.

        Args:
          seed: of its randomness.
          first_update: number of the update that the first element is for: after a resume it is not
            0, and the dataset goes on as if it had not ended.
        """
        raise NotImplementedError

    @abc.abstractmethod
    def make_learner(self, networks: snt.Module, seed: int) -> Learner:
        """Makes the learner of `networks`."""

    @abc.abstractmethod
    def make_policy(self, networks: snt.Module, spec: specs.EnvironmentSpec, role: Role) -> Policy:
        """Makes the policy over `networks` that collects."""

    def make_seed_policy(self, spec: specs.EnvironmentSpec) -> Policy | None:
        """Makes the policy that acts before the first update: uniformly random.

        None: the one that collects does, as where a memory must not begin in mid-episode.
        """
        return RandomPolicy(tensor_spec(spec.observations), spec.actions)

    def make_transform(self, networks: snt.Module, seed: int) -> Transform | None:
        """Makes what stands between replay and learner; None: nothing does."""
        return None


class Builder(abc.ABC):
    """Makes the parts of one agent. Methods raise ValueError where the environment does not fit.

    Attributes:
      name: the agent's, as in summaries and checkpoints.
      cycles: how often a run goes through the stages.
      gate: whether the networks that collect are a champion's; None: they are the learner's.
    """

    name: str
    cycles: int = 1
    gate: Gate | None = None

    def make_networks(self, spec: specs.EnvironmentSpec, seed: int) -> snt.Module:
        """Makes all networks, variables included; equal seeds give equal weights."""
        tf.random.set_seed(seed)
        return self.build_networks(spec)

    @abc.abstractmethod
    def build_networks(self, spec: specs.EnvironmentSpec) -> snt.Module:
        """`make_networks`, with the seed set."""

    @abc.abstractmethod
    def make_stages(self) -> Sequence[Stage]:
        """The stages in their order; none: the agent only plans."""

    @abc.abstractmethod
    def make_policy(self, networks: snt.Module, spec: specs.EnvironmentSpec, role: Role) -> Policy:
        """Makes the policy over `networks` that is evaluated."""

    def make_served(self, networks: snt.Module, spec: specs.EnvironmentSpec) -> Policy | None:
        """Makes the policy that is exported; None: it cannot live outside of this process."""
        return self.make_policy(networks, spec, Role(evaluation=True))

    def make_hosted(self, saved: SavedNetwork, role: Role, num_simulations: int | None) -> Policy:
        """Makes the policy that searches over what `make_served` gave; None: as it was saved."""
        raise ValueError(f"{self.name} does not search on the host, as the saved policy would")

    def make_world(self, networks: snt.Module) -> World | None:
        """Makes the learned world, for models whose steps can be played and exported."""
        return None

    def make_open_loop_predictor(self, networks: snt.Module) -> OpenLoopPredictor | None:
        """Makes a function that imagines frames, for models that predict observations."""
        return None

    def make_figure_maker(self, networks: snt.Module) -> FigureMaker | None:
        """Makes a function that draws what evaluation episodes show about the networks."""
        return None


class SingleStageBuilder(Builder, Stage):
    """An agent of one stage is that stage itself; its policy collects and is evaluated."""

    def make_stages(self) -> Sequence[Stage]:
        """Itself."""
        return (self,)


class PlannerBuilder(Builder):
    """An agent without stages: it has no networks and learns nothing."""

    def build_networks(self, spec: specs.EnvironmentSpec) -> snt.Module:
        """None: an empty module."""
        return snt.Module(name="nothing")

    def make_stages(self) -> Sequence[Stage]:
        """None."""
        return ()


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


def single_state(spec: Any, agent: str) -> specs.Array:
    """The observations' spec, for agents that see states, float32 [n].

    Raises:
      ValueError: it is something else.
    """
    observation = single_array(spec, agent)
    if len(observation.shape) != 1 or observation.dtype != np.float32:
        raise ValueError(
            f"{agent} needs states, float32 [n], got observations {observation.dtype} "
            f"{list(observation.shape)}; control_suite.observation = 'state' gives them, and "
            "PlaNet learns from pixels"
        )
    return observation
