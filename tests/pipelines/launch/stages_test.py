"""Protects runs of several stages, in cycles, from files or with a gate: each resumes exactly."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
from acme import types
from acme.adders import reverb as adders

from agents.builder import (
    Builder,
    DatasetOptions,
    Gate,
    Schedule,
    Stage,
    Transform,
    tensor_spec,
)
from agents.learner import Learner, Update
from agents.policy import Policy
from agents.tables import make_table
from pipelines.configuration.experiment import Experiment
from pipelines.environments import board_game, classic_control
from pipelines.launch.local import LocalRun
from pipelines.system.errors import UserError
from tests.pipelines.launch.outcomes import Stop, assert_equal, outcome

TABLE = "transitions"


class Networks(snt.Module):
    """One number that every stage moves in its own way."""

    def __init__(self) -> None:
        super().__init__(name="networks")
        self.value = tf.Variable(0.5, name="value")


class Alternating(Policy):
    """Acts by the number and the step's seed, so that what is learned is seen in what is done."""

    def __init__(self, networks: Networks, spec: Any, num_actions: int) -> None:
        super().__init__(name="alternating")
        self._networks, self._num_actions = networks, num_actions
        self.observation_spec, self.action_spec = spec, tf.TensorSpec([], tf.int32)

    def initial_state(self, batch_size):
        return {"steps": tf.zeros([batch_size], tf.int32)}

    def step(self, observation, state, seed):
        rows = tf.shape(tf.nest.flatten(observation)[0])[0]
        noise = tf.random.stateless_uniform([rows, self._num_actions], seed)
        scores = noise + tf.one_hot(state["steps"] % self._num_actions, self._num_actions)
        scores *= self._networks.value
        if isinstance(observation, dict):
            scores = tf.where(observation["legal_actions"], scores, -1e9)
        action = tf.argmax(scores, axis=1, output_type=tf.int32)
        return action, {"steps": state["steps"] + 1}, {}


class Mover(Learner):
    """Moves the number by the batch's mean and the update's randomness."""

    def update(self, batch, seed):
        values = tf.cast(tf.nest.flatten(batch)[0], tf.float32)
        change = 0.01 * tf.reduce_mean(values) + 0.01 * tf.random.stateless_normal([], seed)
        self.networks.value.assign_add(change)
        return Update({"loss/total": change})


class Doubling(Transform):
    """Doubles what is observed, and adds its own copy of the number."""

    period = 2

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self._networks = networks
        self.copy = tf.Variable(0.0)

    def refresh(self) -> None:
        self.copy.assign(self._networks.value)

    def __call__(self, batch, update):
        added = self.copy + tf.cast(update, tf.float32)
        return batch._replace(observation=2.0 * batch.observation + added)


class Collecting(Stage):
    """Steps in the environment, and learns from what it stores."""

    name = "collecting"
    dataset_options = DatasetOptions(TABLE, 4, sample_type=types.Transition)

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def make_tables(self, spec, paced=False):
        signature = adders.NStepTransitionAdder.signature(spec)
        return [make_table(TABLE, signature, 500, sampler="fifo")]

    def make_adder(self, client):
        return adders.NStepTransitionAdder(
            client, n_step=2, discount=0.9, priority_fns={TABLE: None}, max_in_flight_items=0
        )

    def make_learner(self, networks, seed):
        return Mover(networks, seed)

    def make_policy(self, networks, spec, role):
        return Alternating(networks, tensor_spec(spec.observations), spec.actions.num_values)


class FromFiles(Stage):
    """Learns from data that no table holds, and does not act."""

    name = "from_files"

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule

    def make_dataset(self, seed, first_update):
        return tf.data.Dataset.from_tensors(tf.fill([3], float(seed % 7))).repeat()

    def make_learner(self, networks, seed):
        return Mover(networks, seed)

    def make_policy(self, networks, spec, role):
        raise AssertionError("a stage that does not collect is not asked for a policy")


class Imagining(Collecting):
    """Learns from the first one's table through a transform, and does not act."""

    name = "imagining"
    dataset_options = DatasetOptions(TABLE, 2, sample_type=types.Transition, prefetch=0)

    def make_transform(self, networks, seed):
        return Doubling(networks)


class StagedBuilder(Builder):
    """Stages that a test gives it."""

    name = "staged"

    def __init__(self, *stages: Stage, cycles: int = 1, gate: Gate | None = None) -> None:
        self._stages, self.cycles, self.gate = stages, cycles, gate

    def build_networks(self, spec):
        return Networks()

    def make_stages(self):
        return self._stages

    def make_policy(self, networks, spec, role):
        return Alternating(networks, tensor_spec(spec.observations), spec.actions.num_values)

    def make_served(self, networks, spec):
        return None


def cartpole(seed: int):
    return classic_control(seed=seed, task="CartPole-v1")


def tictactoe(seed: int):
    return board_game(seed=seed)


def run_of(
    builder: Builder, logdir, stop: Callable[[], bool] = lambda: False, **fields
) -> LocalRun:
    settings = {"environment": cartpole, "num_environments": 2, "evaluation_interval": 10_000}
    settings |= {"evaluation_episodes": 2, "checkpoint_minutes": 60.0, "evaluation_videos": 0}
    described = Experiment(builder=builder, **{**settings, **fields})
    return LocalRun(described, logdir, 7, lambda: "", stop)


def by_steps() -> Builder:
    """Off-policy: updates spread over steps, items written as the steps are made."""
    schedule = Schedule(rollout=3, seed_steps=12, updates_per_step=0.5)
    return StagedBuilder(Collecting(schedule))


def in_cycles() -> Builder:
    """Model, policy, data: a stage that collects, then one that imagines; twice."""
    first = Schedule(rollout=5, updates_per_round=2, max_rounds=4)
    second = Schedule(collects=False, updates_per_round=5, max_updates=15)
    return StagedBuilder(Collecting(first), Imagining(second), cycles=2)


def from_files() -> Builder:
    """Supervised, then self-play by whole episodes."""
    first = Schedule(collects=False, updates_per_round=4, max_rounds=3)
    second = Schedule(seed_episodes=2, updates_per_episode=2, max_episodes=5)
    return StagedBuilder(FromFiles(first), Collecting(second))


def gated() -> Builder:
    """Who learns plays against who collects after every fourth update."""
    schedule = Schedule(seed_episodes=2, updates_per_episode=1)
    return StagedBuilder(Collecting(schedule), gate=Gate(interval=4, games=2, threshold=0.4))


CASES = {
    # Of two environments, whose items reach the table first is a race.
    "by steps": (by_steps, {"num_steps": 120, "num_environments": 1}),
    "in cycles": (in_cycles, {"num_steps": 10_000}),
    "from files": (from_files, {"num_episodes": 1000}),
    "gated": (gated, {"environment": tictactoe, "num_episodes": 12}),
}
ENDS = {
    "by steps": {"step": 120, "updates": (120 - 12) // 2},
    "in cycles": {"updates": 2 * (4 * 2 + 15)},
    "from files": {"episodes": 6, "updates": 12 + 2 * (6 - 2 + 1)},
    "gated": {"episodes": 12, "updates": 11},
}


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_stopped_anywhere_equals_one_that_is_not(case, tmp_path):
    make, fields = CASES[case]
    stop = Stop()
    reference = run_of(make(), tmp_path / "whole", stop, **fields)
    assert reference.run() and reference.finished
    for name, count in ENDS[case].items():
        # Rows that end an episode take no action, so steps come out a little uneven.
        assert reference.counters[name] == pytest.approx(count, abs=4 if case == "by steps" else 0)

    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    random = np.random.RandomState(seed)
    for _ in range(3):
        run_of(make(), tmp_path / "cut", Stop(random.randint(1, stop.asked // 2)), **fields).run()
    run = run_of(make(), tmp_path / "cut", **fields)
    if run.finished:
        run.close()
    else:
        assert run.run()
    assert_equal(outcome(tmp_path / "cut"), outcome(tmp_path / "whole"))


def test_the_champion_collects_until_it_is_beaten(tmp_path):
    """With a threshold that nobody passes it stays what it was, whatever is learned."""
    for threshold, adopted in ((-1.0, True), (1.0, False)):
        builder = gated()
        builder.gate = builder.gate._replace(threshold=threshold)
        environment = {"environment": tictactoe, "num_episodes": 12}
        run = run_of(builder, tmp_path / str(threshold), **environment)
        start = run._networks.value.numpy()
        assert run.run()
        assert run._networks.value.numpy() != start
        assert (run._acting.value.numpy() != start) == adopted


def test_a_gate_wants_a_game_of_two(tmp_path):
    line = r"^staged has a gate, which needs a game of two players; gymnasium/CartPole-v1 is none"
    with pytest.raises(UserError, match=line):
        run_of(gated(), tmp_path / "log", num_episodes=3)
    assert not (tmp_path / "log").exists()
