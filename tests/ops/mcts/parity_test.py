"""Protects that both backends grow the same tree, node for node, and carry it over alike."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts
from tests.ops.mcts.models import TableModel, assert_same_tree, random_tables

TRANSFORMS = {
    "parent_and_siblings": mcts.qtransform_by_parent_and_siblings(),
    "min_max": mcts.qtransform_by_min_max(-3.0, 3.0),
    "urgency": mcts.qtransform_by_min_max(-3.0, 3.0, fpu_reduction=0.3),
    "tree_min_max": mcts.qtransform_by_tree_min_max(),
    "mixed": mcts.qtransform_completed_by_mix_value(),
}


def masks(seed, batch, num_actions):
    mask = np.random.default_rng(seed).random((batch, num_actions)) < 0.3
    mask[:, 0] = False
    return tf.constant(mask)


@pytest.mark.parametrize("num_actions, max_depth", [(1, None), (2, 3), (5, None), (19, 4)])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_puct_trees_are_equal(name, num_actions, max_depth):
    model = TableModel(random_tables(seed=num_actions, num_states=60, num_actions=num_actions))
    mask = masks(1, 4, num_actions)

    def search(backend):
        return mcts.muzero_policy(
            model.root(tf.constant([0, 1, 2, 3])),
            model.step,
            40,
            mask,
            max_depth,
            TRANSFORMS[name],
            seed=(3, 4),
            backend=backend,
        ).search_tree

    native = tf.function(lambda: search("native"))()
    assert_same_tree(native, tf.function(lambda: search("tensorflow"))())


@pytest.mark.parametrize("num_actions", [2, 7, 20])
def test_gumbel_trees_are_equal(num_actions):
    model = TableModel(random_tables(seed=num_actions, num_states=60, num_actions=num_actions))
    mask = masks(2, 3, num_actions)

    def search(backend):
        root = model.root(tf.constant([0, 1, 2]))
        return mcts.gumbel_muzero_policy(root, model.step, 32, mask, seed=(5, 6), backend=backend)

    native, twin = (tf.function(lambda b=b: search(b))() for b in ("native", "tensorflow"))
    assert_same_tree(native.search_tree, twin.search_tree)
    np.testing.assert_array_equal(native.action, twin.action)


def test_ties_go_to_the_lowest_action():
    tables = random_tables(seed=0, num_states=30, num_actions=9)
    tables |= {key: np.zeros_like(tables[key]) for key in ("reward", "prior_logits", "value")}
    model = TableModel(tables)

    def search(backend):
        root = model.root(tf.constant([0, 1]))
        return mcts.muzero_policy(
            root, model.step, 30, dirichlet_fraction=0.0, seed=(0, 1), backend=backend
        ).search_tree

    native, twin = (tf.function(lambda b=b: search(b))() for b in ("native", "tensorflow"))
    assert_same_tree(native, twin)


def test_the_twin_compiles_under_xla():
    """Games that end, a tree that is carried over, Gumbel's roots."""
    tables = random_tables(seed=10, num_states=40, num_actions=6, discounts=(0.5, 0.9, -1))
    tables["prior_logits"][4::5] = -np.inf  # No action is legal there.
    model = TableModel(tables)
    noise = np.random.default_rng(8).gumbel(size=(3, 6)).astype(np.float32)  # XLA draws others.

    def search(backend):
        root = model.root(tf.constant([0, 1, 2]))
        kwargs = dict(seed=tf.constant([0, 1]), backend=backend)
        first = mcts.muzero_policy(root, model.step, 14, dirichlet_fraction=0.0, **kwargs)
        kept = mcts.reroot(first.search_tree, tf.constant([0, 2, 0]), 14)
        grown = mcts.muzero_policy(
            None, model.step, 14, dirichlet_fraction=0.0, search_tree=kept, **kwargs
        )
        gumbel = mcts.gumbel_muzero_policy(root, model.step, 14, gumbel=noise, **kwargs)
        return [found.search_tree for found in (first, grown, gumbel)]

    compiled = tf.function(lambda: search("tensorflow"), jit_compile=True)()
    others = tf.function(lambda: search("native"))()
    for one, other in zip(compiled, others, strict=True):
        assert_same_tree(one, other)


def test_a_tree_carried_over_is_equal_and_keeps_its_subtree():
    model = TableModel(random_tables(seed=9, num_states=50, num_actions=4, discounts=(0.5, 0.9, 1)))

    def two_steps(backend):
        root = model.root(tf.constant([0, 1, 2]))
        kwargs = dict(dirichlet_fraction=0.0, seed=(0, 1), backend=backend)
        first = mcts.muzero_policy(root, model.step, 30, **kwargs).search_tree
        action = tf.argmax(first.summary().visit_counts, axis=-1, output_type=tf.int32)
        kept = mcts.reroot(first, action, 30)
        second = mcts.muzero_policy(None, model.step, 30, search_tree=kept, **kwargs).search_tree
        return first, action, kept, second

    native, twin = (tf.function(lambda b=b: two_steps(b))() for b in ("native", "tensorflow"))
    assert_same_tree(native[2], twin[2])
    assert_same_tree(native[3], twin[3])
    first, action, kept, second = native
    visits = tf.gather(first.summary().visit_counts, action, batch_dims=1)
    np.testing.assert_array_equal(kept.node_visits[:, 0], visits)
    np.testing.assert_array_equal(second.node_visits[:, 0], visits + 30)
