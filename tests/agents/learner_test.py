"""Protects what every learner does: it counts, it serves variables, it compiles."""

from __future__ import annotations

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from agents.learner import Learner, Update, measured_if
from agents.optimizers import Adam, Momentum, Optimizer, gradient


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
        self._optimizer.apply(gradient(tape, loss, self._variables))
        even = tf.equal(seed[1] % 2, 0)
        metrics = {"loss/total": loss, "seed": seed[0], "number": seed[1]}
        metrics.update(measured_if(even, ["judged"], lambda: {"judged": loss}))
        return Update(metrics, priorities=batch[:, 0])


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


@pytest.mark.parametrize("compiled", [False, True])
def test_several_updates_in_one_call_are_those_of_as_many(compiled: bool):
    alone, together = Regression(Networks()), Regression(Networks())
    for mine, theirs in zip(together._variables, alone._variables, strict=True):
        mine.assign(theirs)
    if compiled:
        together.compile()
    batches = [batch() + i for i in range(5)]
    found = [alone.step(each).metrics for each in batches]
    made = together.steps(batches[:3])
    last = together.steps(batches[3:])
    assert int(together.updates) == 5
    for name in made.metrics:
        expected = np.concatenate([np.ravel(metrics[name]) for metrics in found])
        measured = np.concatenate([made.metrics[name], last.metrics[name]])
        np.testing.assert_allclose(measured, expected, rtol=1e-5, atol=1e-7)
    expected = tf.concat([batch[:, 0] for batch in batches[:3]], axis=0)
    np.testing.assert_array_equal(made.priorities, expected)
    learned = [
        [*learner._variables, *learner._optimizer.variables] for learner in (alone, together)
    ]
    for theirs, mine in zip(*learned, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


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
    tf.function(plain.update, autograph=False)(batch(), seed)
    with_xla = tf.function(
        lambda *inputs: compiled.update(*inputs).metrics["loss/total"],
        autograph=False,
        jit_compile=True,
    )
    with_xla(batch(), seed)
    for mine, theirs in zip(compiled._variables, plain._variables, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)
