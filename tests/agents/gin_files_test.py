"""Every gin file makes an agent that learns and acts; new files are found by themselves."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import dm_env
import gin
import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf
import tree
from acme import specs

from agents.builder import Builder, Stage
from agents.policy import Policy
from agents.types import Sample
from pipelines.configuration import experiment
from pipelines.environments import BatchedEnvironment, make_environment_spec
from pipelines.launch.parts import make_role

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "gin").rglob("*.gin"))

BATCH_SIZE = 2

# What makes one step quick, whatever the agent: values of settings, where they are there.
TINY = {
    "batch_size": BATCH_SIZE,
    "sequence_length": 3,
    "burn_in": 1,
    "period": 2,
    "n_step": 2,
    "overshooting_distance": 2,
    "unroll_steps": 1,
    "num_simulations": 2,
    "planning_horizon": 2,
    "planning_iterations": 2,
    "planning_candidates": 4,
    "planning_elites": 2,
    # Depth and width change no shape that one part hands another.
    "channels": 8,
    "blocks": 1,
    "downsampling_blocks": (1, 1, 1),
}


def tiny(builder: Builder) -> list[str]:
    """Bindings that make one step of the builder's agent quick."""
    config, name = builder.config, type(builder.config).__name__
    names = [field.name for field in dataclasses.fields(config)]
    # Of one agent a number is what another one has a list of.
    fit = [f for f in names if f in TINY and isinstance(getattr(config, f), type(TINY[f]))]
    return [f"{name}.{field} = {TINY[field]}" for field in fit]


@pytest.fixture(autouse=True)
def fresh_gin(monkeypatch):
    monkeypatch.chdir(ROOT)
    gin.clear_config()
    yield
    gin.clear_config()


def random_batch(sample_type, signature) -> Any:
    """What the dataset would yield from a table of that signature, filled at random."""
    rng = np.random.RandomState(0)

    def draw(spec: tf.TensorSpec) -> tf.Tensor:
        # Learners of whole tables take its rows.
        shape = [9, *spec.shape[1:]] if None in spec.shape else [BATCH_SIZE, *spec.shape]
        values = rng.uniform(0, 1, shape) if spec.dtype.is_floating else rng.randint(0, 2, shape)
        return tf.constant(values, spec.dtype)

    return sample_type(**tree.map_structure(draw, signature)._asdict())


def with_keys(batch: Any) -> Sample:
    """As a prioritised table's dataset would yield it."""
    keys = tf.cast(tf.range(BATCH_SIZE), tf.uint64)
    probability = tf.fill([BATCH_SIZE], tf.constant(0.1, tf.float64))
    return Sample(keys, probability, tf.fill([BATCH_SIZE], tf.constant(10, tf.int64)), batch)


def test_there_are_gin_files():
    assert "gin/planet.gin" in FILES


@pytest.mark.parametrize("path", FILES)
def test_a_gin_file_parses_learns_and_acts(path: str, tmp_path: Path):
    parsed = experiment.parse([path], [])  # As it is, for its own values' checks.
    bindings = tiny(parsed.builder) + with_games(parsed, tmp_path)
    gin.clear_config()
    parsed = experiment.parse([path], bindings)
    environment, builder = parsed.environment(seed=0), parsed.builder
    role = make_role(BatchedEnvironment([environment]))
    spec = make_environment_spec(environment)
    networks = builder.make_networks(spec, seed=0)
    for stage in builder.make_stages():
        learns(stage, networks, spec, environment)
        if stage.schedule.collects:
            acts(stage.make_policy(networks, spec, role), environment)
    acts(builder.make_policy(networks, spec, role._replace(evaluation=True)), environment)
    environment.close()


def with_games(parsed: Any, folder: Path) -> list[str]:
    """Bindings by which an agent that learns from games of Go has some."""
    if not hasattr(parsed.builder.config, "sgf_folder"):
        return []
    size = parsed.environment(seed=0).rules.options.height
    (folder / "game.sgf").write_text(f"(;SZ[{size}];B[cc];W[dd];B[dc];W[cd])")
    return [f"AlphaGoConfig.sgf_folder = '{folder}'", "AlphaGoConfig.layers = 2",
            "AlphaGoConfig.pool_size = 2"]  # fmt: skip


def with_positions(batch: Any, environment: dm_env.Environment) -> Any:
    """With packed positions of a game in place of random bytes, which are none."""
    seen = environment.reset().observation
    if not isinstance(seen, dict) or "state" not in seen:
        return batch
    if not hasattr(batch, "observation"):
        states, legal = (
            tf.broadcast_to(seen[name], getattr(batch, field).shape)
            for name, field in (("state", "state"), ("legal_actions", "legal"))
        )
        learned = tf.zeros_like(batch.held_out)
        return batch._replace(state=states, legal=legal, held_out=learned)
    states = tf.broadcast_to(seen["state"], batch.observation["state"].shape)
    return batch._replace(observation={**batch.observation, "state": states})


def learns(
    stage: Stage,
    networks: snt.Module,
    spec: specs.EnvironmentSpec,
    environment: dm_env.Environment,
) -> None:
    learner = stage.make_learner(networks, seed=0)
    before = [variable.numpy() for variable in networks.trainable_variables]
    if (options := stage.dataset_options) is None:
        batch = next(iter(stage.make_dataset(0, 0)))
    else:
        (table, *_) = stage.make_tables(spec)
        assert table.name == options.table
        batch = random_batch(options.sample_type, table.info.signature)
        batch = with_positions(batch, environment)
        batch = with_keys(batch) if options.prioritized else batch
    if (transform := stage.make_transform(networks, seed=0)) is not None:
        batch = transform(batch, tf.constant(0, tf.int64))
    metrics = learner.step(batch).metrics
    assert all(np.all(np.isfinite(value)) for value in metrics.values()), metrics
    assert any(
        np.any(old != new.numpy())
        for old, new in zip(before, networks.trainable_variables, strict=True)
    )


def acts(policy: Policy, environment: dm_env.Environment) -> None:
    observation = environment.reset().observation
    action, _, _ = policy.step(
        tree.map_structure(lambda leaf: tf.constant(leaf[None]), observation),
        policy.initial_state(1),
        tf.constant([0, 0]),
    )
    environment.action_spec().validate(action.numpy()[0])
