"""Protects what AlphaGo Zero adds to AlphaZero: the gate, turned evaluations, and the resume."""

from __future__ import annotations

import csv
import dataclasses
import os
import pathlib

import gin
import numpy as np
import pytest
import tensorflow as tf

from agents.alphago_zero import AlphaGoZeroBuilder, AlphaGoZeroConfig
from agents.boards.symmetries import judged_at_random
from agents.builder import Gate, Role
from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from tests.agents.alphazero import tiny
from tests.agents.config_contract import ConfigContract, message_of
from tests.pipelines.launch.outcomes import Stop, assert_equal, outcome

TINY = str(pathlib.Path(__file__).parent / "tiny_run.gin")
SMALL = dict(
    channels=8,
    blocks=1,
    normalisation="none",
    value_layers=(8,),
    num_simulations=16,
)


@pytest.fixture(autouse=True)
def fresh_gin():
    """What one test has bound is no default of another one's."""
    gin.clear_config()
    yield
    gin.clear_config()


class TestAlphaGoZeroConfig(ConfigContract):
    config = AlphaGoZeroConfig


def test_a_threshold_is_a_share():
    expected = "AlphaGoZeroConfig.gate_threshold = 55; expected at least 0 and at most 1"
    assert message_of(AlphaGoZeroConfig, gate_threshold=55) == expected


def test_the_gate_is_the_configurations():
    config = AlphaGoZeroConfig(gate_interval=5, gate_games=6, gate_threshold=0.6)
    assert AlphaGoZeroBuilder(config).gate == Gate(5, 6, 0.6)
    assert AlphaGoZeroBuilder().gate == Gate(1000, 400, 0.55)


def test_an_environment_without_rules_in_the_graph_is_refused():
    builder = AlphaGoZeroBuilder(AlphaGoZeroConfig(**SMALL, reuse_subtree=False))
    spec = tiny.spec(planes=True)
    networks = builder.make_networks(spec, seed=0)
    with pytest.raises(ValueError, match="AlphaGo Zero needs rules that are ops"):
        builder.make_policy(networks, spec, Role())


@pytest.mark.parametrize("kind", ["none", "mirror", "dihedral"])
def test_what_is_said_of_a_turned_board_is_turned_back(kind):
    """A judge that gives each action what stands on its cell cannot tell that it was turned."""
    seed, batch = 4, 40
    print(f"seed {seed}")
    planes = tf.random.stateless_normal([batch, 3, 3, 2], [seed, 0])
    turned = []

    def judge(seen):
        turned.append(seen)
        cells = tf.reshape(seen[..., 0], [batch, 9])
        return tf.concat([cells, tf.fill([batch, 1], 7.0)], 1), seen[:, 1, 1, 1]

    said, values = judged_at_random(kind, judge, planes, tf.constant([seed, 1]))
    np.testing.assert_array_equal(said[:, :9], tf.reshape(planes[..., 0], [batch, 9]))
    np.testing.assert_array_equal(said[:, 9], np.full(batch, 7.0))
    np.testing.assert_array_equal(values, planes[:, 1, 1, 1])
    changed = np.any(turned[0].numpy() != planes.numpy(), axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(
        {"none": 0, "mirror": 1 / 2, "dihedral": 7 / 8}[kind], abs=0.25
    )


def test_a_search_sees_positions_turned_by_its_seed():
    spec = tiny.spec()
    values = {}
    for turned in (False, True):
        config = AlphaGoZeroConfig(**SMALL, turned_evaluations=turned, reuse_subtree=False)
        builder = AlphaGoZeroBuilder(config)
        networks = builder.make_networks(spec, seed=0)
        rng = np.random.RandomState(0)
        for variable in networks.trainable_variables:
            variable.assign_add(0.3 * rng.normal(size=variable.shape).astype(np.float32))
        policy = builder.make_policy(networks, spec, Role(evaluation=True))
        assert policy.takes_seeds is not turned
        seen = tiny.positions(5, seed=1)
        values[turned] = [
            policy.step(seen, policy.initial_state(5), tf.constant([0, call]))[2][
                "search_value"
            ].numpy()
            for call in (0, 0, 1)
        ]
    for said in values.values():
        np.testing.assert_array_equal(said[0], said[1])
    np.testing.assert_array_equal(values[False][0], values[False][2])
    assert np.any(values[True][0] != values[True][2])


def make(logdir, stop=lambda: False) -> LocalRun:
    return LocalRun(experiment.parse([TINY]), logdir, 3, gin.operative_config_str, stop)


def test_a_run_with_a_gate_stopped_at_a_random_moment_equals_uninterrupted(tmp_path):
    """With subtrees that are reused; matches and generations are in the metrics."""
    stop = Stop()
    assert make(tmp_path / "whole", stop).run()
    with open(tmp_path / "whole" / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    generations = [float(row["gate/generation"]) for row in rows if row.get("gate/generation")]
    assert generations == sorted(generations) and generations[-1] >= 1
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    at = np.random.RandomState(seed).randint(1, stop.asked)
    assert not make(tmp_path / "cut", Stop(at)).run()
    assert make(tmp_path / "cut").run()
    assert_equal(outcome(tmp_path / "cut"), outcome(tmp_path / "whole"))


def test_the_papers_values_stand_in_the_configuration():
    config = AlphaGoZeroConfig()
    assert (config.num_simulations, config.batch_size, config.dirichlet_alpha) == (1600, 2048, 0.03)
    assert dataclasses.replace(config, gate_games=1).gate_games == 1
