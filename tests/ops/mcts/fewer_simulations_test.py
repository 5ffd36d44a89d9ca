"""Protects that a search of fewer simulations than its tree has room for is that shorter search."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts
from ops.mcts import seq_halving
from tests.ops.mcts.models import FIELDS, TableModel, random_tables

ROOM = 24
POLICIES = {"muzero": mcts.muzero_policy, "gumbel": mcts.gumbel_muzero_policy}
# XLA draws other numbers from the same seed.
WITHOUT_NOISE = {
    "muzero": {"dirichlet_fraction": 0.0, "temperature": 0.0},
    "gumbel": {"gumbel_scale": 0.0},
}


def searcher(policy, backend, room=ROOM, noise=True, **options):
    """A function of `simulations`, traced once for all of them."""
    model = TableModel(random_tables(seed=3, num_states=40, num_actions=5))
    without = {} if noise else WITHOUT_NOISE[policy]

    @tf.function(**options)
    def search(simulations=None, begun=None, added=None):
        root = model.root(tf.constant([0, 1, 2]))
        return POLICIES[policy](
            root, model.step, room, seed=tf.constant([1, 2]), backend=backend,
            simulations=simulations, begun=begun, added=added, **without,
        )  # fmt: skip

    return search


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize("policy", POLICIES)
def test_the_tree_is_that_of_the_shorter_search(policy, backend):
    search = searcher(policy, backend)
    for simulations in (1, 7, ROOM):
        bounded = search(tf.constant(simulations))
        shorter = searcher(policy, backend, simulations)()
        np.testing.assert_array_equal(bounded.action, shorter.action)
        np.testing.assert_array_equal(bounded.action_weights, shorter.action_weights)
        for field in FIELDS:
            ours, theirs = (getattr(out.search_tree, field) for out in (bounded, shorter))
            np.testing.assert_array_equal(ours[:, : simulations + 1], theirs, err_msg=field)
        assert not np.any(bounded.search_tree.node_visits[:, simulations + 1 :])
    assert search.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize("policy", POLICIES)
def test_slices_of_a_search_are_that_search(policy, backend):
    search = searcher(policy, backend)
    whole, tree = search(tf.constant(20)), None
    for added in (1, 3, 12, 4):
        found = search(tf.constant(20), tree, tf.constant(added))
        tree = found.search_tree
        assert np.all(tree.summary().visit_counts.numpy().sum(axis=1) <= 20)
    np.testing.assert_array_equal(found.action, whole.action)
    np.testing.assert_array_equal(found.action_weights, whole.action_weights)
    for field in FIELDS:
        ours, theirs = (getattr(out.search_tree, field) for out in (found, whole))
        np.testing.assert_array_equal(ours, theirs, err_msg=field)


@pytest.mark.parametrize("policy", POLICIES)
def test_xla_compiles_it_once_for_every_number(policy):
    compiled = searcher(policy, "auto", noise=False, jit_compile=True)
    for simulations in (5, ROOM):
        expected = searcher(policy, "native", simulations, noise=False)()
        found = compiled(tf.constant(simulations))
        np.testing.assert_array_equal(found.action, expected.action)
        np.testing.assert_array_equal(
            found.search_tree.summary().visit_counts, expected.search_tree.summary().visit_counts
        )
    assert compiled.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("simulations", [0, -1, ROOM + 1])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_number_out_of_range_is_refused_by_name(policy, simulations):
    with pytest.raises(tf.errors.InvalidArgumentError, match="simulations is not 1 to 24"):
        searcher(policy, "native")(tf.constant(simulations))


@pytest.mark.parametrize("simulations", [[3], 2.5])
def test_what_is_no_integer_scalar_is_refused_by_name(simulations):
    with pytest.raises(tf.errors.InvalidArgumentError, match="simulations is"):
        searcher("muzero", "native")(tf.constant(simulations))


@pytest.mark.parametrize("most", [1, 2, 3, 5, 16])
def test_the_halving_of_fewer_simulations_is_the_papers(most):
    for simulations in (1, 2, 3, 10, 33, 60):
        expected = seq_halving.table_of_considered_visits(most, simulations)
        found = seq_halving.table_of_fewer(most, 60, tf.constant(simulations))
        np.testing.assert_array_equal(found[:, :simulations], expected)
