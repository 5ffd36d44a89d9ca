"""A small learner of every agent, with a batch that is not the same everywhere."""

from __future__ import annotations

import atexit
import dataclasses
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from agents.a2c import A2CBuilder, A2CConfig
from agents.alphago import AlphaGoBuilder
from agents.alphago.experts import Examples
from agents.alphago.learning import Played
from agents.alphazero import AlphaZeroBuilder
from agents.builder import Stage
from agents.impala import ImpalaBuilder
from agents.muzero import MuZeroBuilder
from agents.ppo import PPOBuilder, PPOConfig
from agents.types import Sample
from ops import games
from ops.games.host import HostRules
from pipelines.benchmarks.games import positions
from tests.agents.actor_critic import tiny as actor_critic
from tests.agents.alphago import tiny as alphago
from tests.agents.alphazero import tiny as alphazero
from tests.agents.d4pg import tiny as d4pg
from tests.agents.dqn import tiny as dqn
from tests.agents.impala import tiny as impala
from tests.agents.muzero import tiny as muzero
from tests.agents.planet import tiny as planet
from tests.agents.r2d2 import tiny as r2d2
from tests.agents.reinforce import tiny as reinforce
from tests.agents.simple import tiny as simple

BATCH = 8

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
    builder, batch = AlphaZeroBuilder(config), alphazero.batch_of(BATCH)
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


def simple_case(stage: int) -> Case:
    made = simple.builder(
        batch_size=BATCH,
        imagined_rollouts=BATCH,
        unroll_steps=2,
        dropout=0.2,
        predict_ends=True,
        sampled_frames=0.5,
        sampled_frames_warmup=1,
        bits_predicted=0.5,
        bits_standardised=True,
    )
    batch = simple.sequences(rng(), BATCH, unroll=2)
    starts = batch.start_of_episode.numpy()
    starts[:3, -1:] = True
    batch = batch._replace(start_of_episode=tf.constant(starts))
    return made.make_stages()[stage], simple.networks_of(made), batch


def alphago_case(stage: int) -> Case:
    folder = pathlib.Path(tempfile.gettempdir()) / f"games-{os.getpid()}"
    if not folder.exists():
        alphago.write_games(folder, count=10)
        atexit.register(shutil.rmtree, folder)
    config = dataclasses.replace(alphago.CONFIG, sgf_folder=str(folder))
    rules = {"superko": False} if stage < 2 else {"max_moves": 30}
    host = HostRules(games.make("go", size=alphago.SIZE, **rules))
    states, actions = positions(host, BATCH)
    batch = Examples(tf.constant(states), tf.constant(actions))
    if stage > 1:
        outcomes = tf.constant([1.0, -1.0, 0.0, 1.0] * (BATCH // 4))[:, None]
        held_out = tf.constant([False, True, True] + [False] * (BATCH - 3))[:, None]
        legal = tf.ones([BATCH, 1, alphago.SIZE**2 + 1], tf.bool)
        batch = Played(batch.state[:, None], legal, batch.action[:, None], outcomes, held_out)
    return AlphaGoBuilder(config).make_stages()[stage], alphago.networks(config), batch


CASES: dict[str, Callable[[], Case]] = {
    "planet": lambda: planet_case(
        dequantisation_noise=True, overshooting_distance=3, average_decay=0.9
    ),
    "muzero": lambda: muzero_case(muzero.VECTORS, prioritized=True),
    "muzero_batch_normalised": lambda: muzero_case(
        muzero.ATARI, normalisation="batch", optimizer="sgd", unroll_steps=1
    ),
    "muzero_averaged": lambda: muzero_case(muzero.BOARD, average_decay=0.9, unroll_steps=2),
    "muzero_compiled": lambda: muzero_case(muzero.VECTORS, jit_compile=True),
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
    "simple_model": lambda: simple_case(0),
    "simple_policy": lambda: simple_case(1),
    "alphago_supervised": lambda: alphago_case(0),
    "alphago_rollout_policy": lambda: alphago_case(1),
    "alphago_reinforce": lambda: alphago_case(2),
    "alphago_value": lambda: alphago_case(3),
}
