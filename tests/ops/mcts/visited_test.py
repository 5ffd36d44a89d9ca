"""Protects `visited`: a model is told how often a walk came to a node, and what it is worth."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts

BATCH, ACTIONS, SIMULATIONS, THRESHOLD = 3, 4, 40, 3


def model(opened: bool):
    """Values by where a walk has come to and how often; nodes open at the third visit."""

    def recurrent_fn(action, embedding, visited):
        number = embedding * ACTIONS + action + 1
        sample = tf.sin(tf.cast(number, tf.float32) + 7.0 * visited.count)
        mean = visited.value + (sample - visited.value) / (visited.count + 1.0)
        closed = (visited.count + 1.0 < THRESHOLD) & opened
        logits = tf.cos(tf.cast(number[:, None] + tf.range(ACTIONS), tf.float32))
        logits = tf.where(closed[:, None], -float("inf"), logits)
        ones = tf.ones_like(mean)
        return mcts.RecurrentFnOutput(0.0 * ones, -ones, logits, mean), number

    return recurrent_fn


def found(backend: str, opened: bool = True):
    roots = tf.range(BATCH, dtype=tf.int32)
    logits = tf.random.stateless_normal([BATCH, ACTIONS], [0, 3])
    root = mcts.RootFnOutput(logits, tf.zeros([BATCH]), 1000 * roots)
    search = tf.function(
        lambda: mcts.alphazero_policy(
            root, model(opened), SIMULATIONS, dirichlet_fraction=0.0, temperature=0.0, seed=[0, 1],
            backend=backend,
        ).search_tree
    )  # fmt: skip
    return search()


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
def test_a_node_opens_at_its_third_visit_and_is_worth_the_mean_until_then(backend):
    tree = found(backend)
    visits, parents = tree.node_visits.numpy(), tree.parents.numpy()
    numbers, values = tree.embeddings.numpy(), tree.node_values.numpy()
    closed = 0
    for row in range(BATCH):
        for node in range(1, SIMULATIONS + 1):
            if visits[row, node] == 0:
                continue
            children = int(np.sum((parents[row] == node) & (visits[row] > 0)))
            if visits[row, node] <= THRESHOLD:
                assert children == 0
            else:
                assert children > 0
            if visits[row, node] < THRESHOLD:
                closed += 1
                told = np.sin(numbers[row, node] + 7.0 * np.arange(visits[row, node]))
                assert values[row, node] == pytest.approx(told.mean(), abs=1e-5)
    assert closed > 5


def test_both_backends_give_the_same_tree_and_a_model_that_never_closes_the_usual_one():
    for opened in (True, False):
        native, twin = (found(backend, opened) for backend in ("native", "tensorflow"))
        for field in ("node_visits", "parents", "action_from_parent", "children_visits"):
            np.testing.assert_array_equal(getattr(native, field), getattr(twin, field))
        np.testing.assert_allclose(native.node_values, twin.node_values, atol=1e-6)
    assert np.all(native.node_visits.numpy()[:, -1] == 1), "a new node at each simulation"
