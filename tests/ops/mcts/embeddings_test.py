"""Protects the embeddings in a tree: each node's own, and zeros where no node was made."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import loader, mcts
from ops.mcts import native
from ops.mcts.rules import SelectionRule
from tests.gpu import mcts_harness as harness
from tests.ops.mcts.models import TableModel, random_tables

BACKENDS = ("native", "tensorflow")
B, N = 3, 20
TABLES = random_tables(seed=31, num_states=40, num_actions=3)
TABLES["prior_logits"][30:] = -np.inf  # ends, where walks meet a node again
MODEL = TableModel(TABLES)


def dirty_memory():
    """Leaves what is not zero in the memory that the next searches' trees get."""
    rows = [tf.fill([B], 7), tf.fill([B, 64], 7.0)]
    zeros, at = tf.zeros([B]), tf.zeros([B], tf.int32)
    step = mcts.RecurrentFnOutput(zeros, zeros, tf.zeros([B, 3]), zeros)
    trees = []
    for _ in range(3):
        tree = native.tree_from_root(mcts.RootFnOutput(tf.zeros([B, 3]), zeros, rows), N + 1)
        for node in range(N):
            tree, _ = native.expand(tree, at + node, at, step, rows)
        trees.append(tree)


def wide_step(action, embedding):
    step, state = MODEL.step(action, embedding["state"])
    return step, {"state": state, "wide": embedding["wide"] + 1.0}


def searched(backend, simulations=None, **kwargs):
    root = MODEL.root(tf.range(B))
    root = root._replace(embedding={"state": tf.range(B) + 1, "wide": tf.ones([B, 64])})
    run = tf.function(lambda: mcts.muzero_policy(
        root, wide_step, N, seed=(1, 2), simulations=simulations, backend=backend, **kwargs
    ).search_tree)  # fmt: skip
    return run()


@pytest.mark.parametrize("kwargs", [{"max_depth": 1}, {"max_depth": 3}, {}, {"simulations": 7}])
def test_a_node_that_was_not_made_has_zeros(kwargs):
    dirty_memory()
    tree = searched("native", **kwargs)
    made = tree.node_visits.numpy() > 0
    assert 0 < made.sum() < made.size
    for whole in tree.embeddings.values():
        assert not whole.numpy()[~made].any()
    assert (tree.embeddings["wide"].numpy()[made] > 0).all()


def test_both_backends_keep_the_same_embeddings():
    native_tree, twin = (searched(b, max_depth=2) for b in BACKENDS)
    for ours, theirs in zip(
        tf.nest.flatten(native_tree.embeddings), tf.nest.flatten(twin.embeddings), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_expand_alone_clears_what_it_does_not_make():
    root = mcts.RootFnOutput(tf.zeros([B, 1]), tf.zeros([B]), tf.range(B) + 1)
    tree = native.tree_from_root(root, 4)
    tree = tree._replace(embeddings=tf.fill([B, 4], 9))
    rule = SelectionRule("puct", mcts.qtransform_by_parent_and_siblings(), 1)
    for _ in range(3):
        parent, action = native.simulate(tree, rule)
        zeros = tf.zeros([B])
        step = mcts.RecurrentFnOutput(zeros, zeros, tf.zeros([B, 1]), zeros)
        tree, leaf = native.expand(tree, parent, action, step, tf.fill([B], 5))
        tree = native.backward(tree, leaf)
    np.testing.assert_array_equal(tree.embeddings, np.tile([9, 5, 0, 0], (B, 1)))


def test_the_cuda_kernels_clear_it_too(tmp_path):
    device = harness.Device(harness.build(harness.emulation_command(tmp_path / "mcts.so")))
    state = np.arange(1, B + 1, dtype=np.int32)
    parts = harness.embedding_rows(state)
    forest = harness.DeviceForest(device, B, 4, 2, parts)
    forest.plant(np.zeros((B, 2), np.float32), np.zeros(B, np.float32), parts)
    zeros = np.zeros(B, np.float32)
    answer = dict(reward=zeros, discount=zeros, value=zeros)
    answer["prior_logits"] = np.zeros((B, 2), np.float32)
    parameters = np.zeros((B, 9), np.float32)
    parameters[:, [1, 4]] = 1.0  # pb_c_base, fpu_reduction
    parameters[:, 3], parameters[:, 8] = 1.0, [1, 1, 9]  # max_value, max_depth
    rule = harness.c_types.rule(
        "puct", "min_max", 1, 1.0, 1.0, min_value=0.0, max_value=1.0, fpu_reduction=-1.0,
        value_scale=0.1, maxvisit_init=50.0, rescale_values=1, use_mixed_value=1, epsilon=1e-8,
    )  # fmt: skip
    for _ in range(3):
        forest.simulate(rule, harness.RootNoise(), parameters)
        forest.expand(answer, harness.embedding_rows(state + 10))
    made = forest.nodes.read()[:, :, 2] > 0
    np.testing.assert_array_equal(made[:, 3], [False, False, True])  # by its depth limit
    for (whole, _, _), row in zip(forest.parts, parts, strict=True):
        rows = whole.read()
        assert not rows[~made].any()
        np.testing.assert_array_equal(rows[:, 0], row)
    assert loader.load("mcts") is not None
