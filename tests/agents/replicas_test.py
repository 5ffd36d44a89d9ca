"""Every agent's update on several replicas is the one on the whole batch, by which it is defined.

Logical devices must be made before TensorFlow starts: one process does all cases for both, and
each test reads what it has found.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from agents import replicas
from agents.a2c import A2CBuilder, A2CConfig
from agents.alphazero import AlphaZeroBuilder
from agents.builder import Stage
from agents.impala import ImpalaBuilder
from agents.learner import Learner
from agents.muzero import MuZeroBuilder
from agents.ppo import PPOBuilder, PPOConfig
from agents.types import Sample
from tests.agents.actor_critic import tiny as actor_critic
from tests.agents.alphazero import learning_test as alphazero_data
from tests.agents.alphazero import tiny as alphazero
from tests.agents.d4pg import tiny as d4pg
from tests.agents.dqn import tiny as dqn
from tests.agents.impala import tiny as impala
from tests.agents.muzero import tiny as muzero
from tests.agents.planet import tiny as planet
from tests.agents.r2d2 import tiny as r2d2
from tests.agents.reinforce import tiny as reinforce

ROOT = Path(__file__).resolve().parents[2]
BATCH = 8
UPDATES = 2

# A builder with its networks, and a batch for the learner.
Case = tuple[Stage, Any, Any]


def sample(items: Any) -> Sample:
    """Items with probabilities of their own: the greatest weight is in one replica alone."""
    rng = np.random.RandomState(1)
    return Sample(
        tf.cast(tf.range(BATCH), tf.uint64),
        tf.constant(rng.uniform(0.001, 0.1, BATCH)),
        tf.fill([BATCH], tf.constant(1000, tf.int64)),
        items,
    )


def shaken(networks: Any) -> Any:
    """Out of the zeros that heads begin with: Adam follows the sign of whatever is almost none."""
    rng = np.random.RandomState(2)
    for variable in networks.trainable_variables:
        variable.assign_add(0.1 * rng.normal(size=variable.shape).astype(np.float32))
    return networks


def planet_case(**changes) -> Case:
    builder, networks = planet.builder_and_networks(batch_size=BATCH, **changes)
    batch = planet.batch(0, BATCH)
    starts = batch.start_of_episode.numpy()
    starts[:3, 4] = True  # Padding is not equally spread.
    return builder, networks, batch._replace(start_of_episode=tf.constant(starts))


def muzero_case(config: Any, prioritized: bool = False, **changes) -> Case:
    config = dataclasses.replace(config, batch_size=BATCH, **changes)
    builder = MuZeroBuilder(config)
    networks = shaken(builder.make_networks(muzero.spec(config), seed=0))
    batch = muzero.random_batch(config, BATCH)
    extras = dict(batch.extras)
    for name in ("policy_weight", "value_weight"):
        extras[name] = extras[name].numpy()
        extras[name][:3, -2:] = 0
    batch = batch._replace(extras=tf.nest.map_structure(tf.constant, extras))
    return builder, networks, sample(batch) if prioritized else batch


def alphazero_case() -> Case:
    changes = {"normalisation": "batch", "symmetries": "dihedral", "optimizer": "sgd"}
    config = dataclasses.replace(alphazero.RESIGNING, batch_size=BATCH, **changes)
    builder, batch = AlphaZeroBuilder(config), alphazero_data.batch_of(BATCH)
    gave_up = tf.constant([True, False, True] + [False] * (BATCH - 3))[:, None]
    networks = shaken(builder.make_networks(alphazero.spec(resignation=True), seed=0))
    return builder, networks, batch._replace(extras={**batch.extras, "gave_up": gave_up})


def reinforce_case() -> Case:
    options = {"baseline": True, "baseline_steps": 3, "normalise_advantages": True}
    builder, networks = reinforce.builder_and_networks(reinforce.DISCRETE, **options)
    lengths = [3, 1, 5, 2, 4, 7]
    return builder, networks, reinforce.episodes(rng(), reinforce.DISCRETE, lengths)


def rng() -> np.random.RandomState:
    return np.random.RandomState(0)


def actor_critic_case(builder: Any, actions: Any = actor_critic.DISCRETE) -> Case:
    networks = actor_critic.networks_of(builder, actions)
    return builder, networks, actor_critic.rollouts(rng(), actions, BATCH)


def a2c_case() -> Case:
    settings = {
        "normalise_observations": True,
        "normalise_rewards": True,
        "normalise_advantages": True,
        "correction": "vtrace",
    }
    return actor_critic_case(A2CBuilder(A2CConfig(**actor_critic.SMALL, **settings)))


def ppo_case(surrogate: str, actions: Any) -> Case:
    settings = {"surrogate": surrogate, "epochs": 2, "minibatches": 3, "clip_values": 0.2}
    return actor_critic_case(PPOBuilder(PPOConfig(**actor_critic.SMALL, **settings)), actions)


def impala_case(**changes) -> Case:
    builder, networks = impala.builder_and_networks(batch_size=BATCH, core_size=5, **changes)
    assert isinstance(builder, ImpalaBuilder)
    return builder, networks, impala.rollouts(rng(), builder.config)


def dqn_case(prioritized: bool, **changes) -> Case:
    sampler = "prioritized" if prioritized else "uniform"
    builder, networks = dqn.builder_and_networks(replay_sampler=sampler, **changes)
    batch = dqn.batch(rng(), builder.config, BATCH)
    return builder, networks, sample(batch) if prioritized else batch


def r2d2_case() -> Case:
    builder, networks = r2d2.builder_and_networks(batch_size=BATCH)
    return builder, networks, sample(r2d2.sequences(rng(), builder.config))


def d4pg_case() -> Case:
    builder, networks = d4pg.builder_and_networks(replay_sampler="prioritized")
    return builder, networks, sample(d4pg.batch(rng(), builder.config, BATCH))


CASES: dict[str, Callable[[], Case]] = {
    "planet": lambda: planet_case(dequantisation_noise=True, overshooting_distance=3),
    "muzero": lambda: muzero_case(muzero.VECTORS, prioritized=True),
    "muzero_batch_normalised": lambda: muzero_case(
        muzero.ATARI, normalisation="batch", optimizer="sgd", unroll_steps=2
    ),
    "muzero_averaged": lambda: muzero_case(muzero.BOARD, average_decay=0.9, unroll_steps=2),
    "alphazero": alphazero_case,
    "reinforce": reinforce_case,
    "a2c": a2c_case,
    "ppo": lambda: ppo_case("clip", actor_critic.DISCRETE),
    "ppo_penalty": lambda: ppo_case("penalty", actor_critic.CONTINUOUS),
    "impala": lambda: impala_case(optimizer="rmsprop", reduction="sum"),
    "dqn": lambda: dqn_case(False, noise=0.5),
    "dqn_distributional": lambda: dqn_case(True, distributional=True),
    "r2d2": r2d2_case,
    "d4pg": d4pg_case,
}
ON_FOUR = ("muzero_batch_normalised", "ppo")


def learned(case: Case) -> tuple[Learner, list[dict[str, np.ndarray]], list[Any]]:
    """A learner behind some updates, with their metrics and priorities."""
    builder, networks, batch = case
    learner = builder.make_learner(networks, seed=3)
    updates = [learner.step(batch) for _ in range(UPDATES)]
    metrics = [{k: v.numpy() for k, v in update.metrics.items()} for update in updates]
    return learner, metrics, [update.priorities for update in updates]


def compare(name: str, devices: list[str]) -> str:
    """What differs between one device and several; nothing is well."""
    alone, metrics, priorities = learned(CASES[name]())
    strategy = tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())
    with strategy.scope():
        case = CASES[name]()
        shared, shared_metrics, shared_priorities = learned(case)
    try:
        for mine, theirs in zip(shared.variables, alone.variables, strict=True):
            for value in strategy.experimental_local_results(mine):
                np.testing.assert_allclose(value, theirs, rtol=1e-5, atol=1e-5, err_msg=theirs.name)
        for mine, theirs in zip(shared_metrics, metrics, strict=True):
            assert mine.keys() == theirs.keys()
            for key, value in theirs.items():
                np.testing.assert_allclose(mine[key], value, rtol=1e-4, atol=1e-5, err_msg=key)
        for mine, theirs in zip(shared_priorities, priorities, strict=True):
            if theirs is not None:
                np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
    except AssertionError as difference:
        return str(difference)
    return ""


def main() -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 4)
    chosen = sys.argv[1:] or [*(f"{n}:2" for n in CASES), *(f"{n}:4" for n in ON_FOUR)]
    for case in chosen:
        name, _, count = case.partition(":")
        found = compare(name, [f"CPU:{i}" for i in range(int(count))])
        print(json.dumps([case, found]), flush=True)


@pytest.fixture(scope="module")
def found() -> Iterator[dict[str, str]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.agents.replicas_test"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    yield dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    "case", [*(f"{name}:2" for name in CASES), *(f"{name}:4" for name in ON_FOUR)]
)
def test_an_update_on_replicas_is_that_of_the_whole_batch(found: dict[str, str], case: str):
    assert found[case] == ""


def test_elsewhere_everything_is_whole():
    values = tf.constant([1.0, 2.0, 3.0])
    for function in (replicas.total, replicas.mean, replicas.share, replicas.gathered):
        assert function(values) is values
    assert replicas.count() == 1
    np.testing.assert_array_equal(replicas.drawn(tf.ones, [2, 3]), np.ones([2, 3]))


def test_a_batch_that_does_not_divide_is_refused():
    builder, networks, batch = dqn_case(False)
    learner = builder.make_learner(networks, seed=0)
    with pytest.raises(replicas.Misfit, match="8 items do not divide among 3 replicas; expected"):
        learner.divide(batch, 3)
    builder, networks, batch = reinforce_case()
    learner = builder.make_learner(networks, seed=0)
    with pytest.raises(replicas.Misfit, match="6 episodes for 7 replicas; expected at least one"):
        learner.divide(batch, 7)


if __name__ == "__main__":
    main()
