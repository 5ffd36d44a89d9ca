"""Protects what every learner does: it counts, it serves variables, it runs in replicas and XLA."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from agents.learner import Learner, Update, measured_if
from agents.optimizers import Adam, Momentum, Optimizer

ROOT = Path(__file__).resolve().parents[2]


class Networks(snt.Module):
    """Two parts; one acts."""

    def __init__(self) -> None:
        super().__init__(name="networks")
        self.online, self.acting = snt.Linear(2, name="online"), snt.Linear(2, name="acting")
        for part in (self.online, self.acting):
            part(tf.zeros([1, 3]))


class Regression(Learner):
    """Fits the online part to zeros; the seed is among the metrics."""

    def __init__(self, networks: Networks, make: type[Optimizer] = Adam) -> None:
        super().__init__(networks, seed=5)
        self._variables = networks.online.trainable_variables
        self._optimizer = make(self._variables, 0.1)

    def update(self, batch, seed):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self.networks.online(batch)))
        self._optimizer.apply(tape.gradient(loss, self._variables))
        even = tf.equal(seed[1] % 2, 0)
        judged = measured_if(even, ["judged"], lambda: {"judged": loss})
        return Update({"loss/total": loss, "seed": seed[0], "number": seed[1], **judged})


def batch() -> tf.Tensor:
    return tf.constant(np.random.RandomState(0).normal(size=[8, 3]), tf.float32)


def test_a_step_is_an_update_that_is_counted_and_told_its_number():
    learner = Regression(Networks())
    found = [learner.step(batch()).metrics for _ in range(3)]
    assert [(int(m["seed"]), int(m["number"])) for m in found] == [(5, 0), (5, 1), (5, 2)]
    assert int(learner.updates) == 3
    assert found[2]["loss/total"] < found[0]["loss/total"]


def test_what_is_not_measured_in_an_update_is_an_empty_metric():
    learner = Regression(Networks())
    assert [learner.step(batch()).metrics["judged"].shape[0] for _ in range(3)] == [1, 0, 1]


def test_networks_may_hold_the_counter():
    networks = Networks()
    networks.counter = tf.Variable(7)

    class Counted(Regression):
        def __init__(self, networks):
            Learner.__init__(self, networks, 0, updates=networks.counter)

        def update(self, batch, seed):
            return Update({"number": seed[1]})

    learner = Counted(networks)
    assert int(learner.step(batch()).metrics["number"]) == 7
    assert int(networks.counter) == 8


def test_variables_are_served_part_by_part():
    learner = Regression(Networks())
    (acting,) = learner.get_variables(["acting"])
    for value, variable in zip(acting, learner.networks.acting.variables, strict=True):
        np.testing.assert_array_equal(value, variable)
    (everything,) = learner.get_variables()
    assert len(everything) == 4
    with pytest.raises(ValueError, match="no part 'acitng'; they have acting, online"):
        learner.get_variables(["acitng"])


def test_an_update_compiles_as_it_is():
    plain, compiled = (Regression(Networks(), Momentum) for _ in range(2))
    for mine, theirs in zip(compiled._variables, plain._variables, strict=True):
        mine.assign(theirs)
    seed = tf.constant([5, 1])
    tf.function(plain.update)(batch(), seed)
    with_xla = tf.function(
        lambda *inputs: compiled.update(*inputs).metrics["loss/total"], jit_compile=True
    )
    with_xla(batch(), seed)
    for mine, theirs in zip(compiled._variables, plain._variables, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


_REPLICAS = """
import numpy as np, tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from agents.optimizers import Adam, Momentum
from tests.agents.learner_test import Networks, Regression, batch

for make in (Adam, Momentum):
    tf.random.set_seed(0)
    alone = Regression(Networks(), make)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    with strategy.scope():
        tf.random.set_seed(0)
        shared = Regression(Networks(), make)
    for mine, theirs in zip(shared._variables, alone._variables):
        mine.assign(theirs)
    halves = strategy.experimental_distribute_values_from_function(
        lambda context: batch()[4 * context.replica_id_in_sync_group :][:4])
    run = tf.function(lambda values, seed: strategy.run(shared.update, args=(values, seed)))
    for number in range(3):
        seed = tf.constant([5, number])
        alone.update(batch(), seed)
        run(halves, seed)
    for mine, theirs in zip(shared._variables, alone._variables):
        for value in strategy.experimental_local_results(mine):
            np.testing.assert_allclose(value, theirs, rtol=1e-4, atol=1e-6)
print("equal")
"""


def test_two_replicas_with_half_a_batch_each_learn_as_one_with_all_of_it():
    done = subprocess.run(
        [sys.executable, "-c", _REPLICAS],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    assert done.stdout.splitlines()[-1:] == ["equal"], done.stderr[-3000:]
