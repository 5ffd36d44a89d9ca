"""Protects the search that is driven from the host: equal to the policies, sound in flight."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts
from tests.ops.mcts.models import HostModel, TableModel, assert_same_tree, random_tables

BACKENDS = ("native", "tensorflow")
InvalidArgument = tf.errors.InvalidArgumentError


def tables_with_ends(seed, num_actions):
    """Tables of which some states are terminal."""
    tables = random_tables(seed, num_states=60, num_actions=num_actions)
    tables["prior_logits"][50:] = -np.inf
    return tables


@pytest.mark.parametrize("num_actions, max_depth", [(1, None), (3, 2), (30, None)])
@pytest.mark.parametrize("backend", BACKENDS)
def test_with_one_walk_in_flight_the_tree_is_that_of_the_policy(backend, num_actions, max_depth):
    tables = tables_with_ends(num_actions, num_actions)
    roots, mask = np.array([0, 1, 2], np.int32), np.zeros((3, num_actions), bool)
    mask[0, 1:] = True
    kwargs = dict(
        invalid_actions=mask,
        max_depth=max_depth,
        qtransform=mcts.qtransform_by_parent_and_siblings(),
        seed=(5, 6),
        backend=backend,
    )
    model = TableModel(tables)
    root = model.root(tf.constant(roots))
    search = tf.function(lambda: mcts.muzero_policy(root, model.step, 20, **kwargs))
    game = HostModel(tables, roots, 21)
    tree = mcts.Tree(game.root(), 20, virtual_loss=3.0, **kwargs)
    game.drive(tree, 20)
    assert_same_tree(tree.search_tree(), search().search_tree)


@pytest.mark.parametrize("num_actions", [1, 5, 30])
@pytest.mark.parametrize("backend", BACKENDS)
def test_by_gumbels_rule_the_decision_is_that_of_the_policy(backend, num_actions):
    tables = tables_with_ends(num_actions, num_actions)
    roots, mask = np.array([0, 1, 2], np.int32), np.zeros((3, num_actions), bool)
    mask[0, 1:] = True
    kwargs = dict(invalid_actions=mask, max_num_considered_actions=6, gumbel_scale=0.7, seed=(5, 6))
    model = TableModel(tables)
    root = model.root(tf.constant(roots))
    policy = tf.function(lambda: mcts.gumbel_muzero_policy(root, model.step, 20, **kwargs))
    game = HostModel(tables, roots, 21)
    tree = mcts.Tree(game.root(), 20, rule="gumbel", backend=backend, **kwargs)
    game.drive(tree, 20)
    found, expected = tree.decision(), policy()
    assert_same_tree(tree.search_tree(), expected.search_tree)
    np.testing.assert_array_equal(found.action, expected.action)
    np.testing.assert_allclose(found.action_weights, expected.action_weights, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_by_gumbels_rule_walks_in_flight_keep_to_the_schedule(backend):
    tables = tables_with_ends(3, 9)
    game = HostModel(tables, np.array([0, 1, 2]), 33)
    considered = dict(rule="gumbel", max_num_considered_actions=8, seed=(1, 2))
    tree = mcts.Tree(game.root(), 32, backend=backend, **considered)
    game.drive(tree, 4, walks=8)
    counts = np.sort(tree.summary().visit_counts)[:, ::-1]
    # Eight actions once, four of them twice more, two of these to the end.
    np.testing.assert_array_equal(counts, [[11, 11, 3, 3, 1, 1, 1, 1, 0]] * 3)


@pytest.mark.parametrize("num_actions", [2, 20])
def test_with_several_walks_in_flight_both_backends_grow_the_same_tree(num_actions):
    tables, trees = tables_with_ends(3, num_actions), []
    for backend in BACKENDS:
        game = HostModel(tables, np.array([0, 1, 2]), 41)
        tree = mcts.Tree(game.root(), 40, virtual_loss=0.5, seed=(1, 2), backend=backend)
        game.drive(tree, 8, walks=5)
        trees.append(tree.search_tree())
    assert_same_tree(*trees)


@pytest.mark.parametrize("backend", BACKENDS)
def test_walks_that_have_come_back_leave_no_trace(backend):
    tables = random_tables(4, num_states=60, num_actions=5)
    game = HostModel(tables, np.array([0, 1]), 41)
    tree = mcts.Tree(game.root(), 40, virtual_loss=7.0, seed=(1, 2), backend=backend)
    game.drive(tree, 5, walks=8)
    grown = tree.search_tree()
    np.testing.assert_array_equal(grown.node_visits[:, 0], 41)
    visits, child = grown.children_visits.numpy(), grown.children_index.numpy()
    at_child = np.take_along_axis(grown.node_visits.numpy()[:, None], np.maximum(child, 0), 2)
    np.testing.assert_array_equal(visits, np.where(child >= 0, at_child, 0))
    values = grown.children_rewards + grown.children_discounts * grown.children_values
    summary = tree.summary()
    expected = np.where(summary.visit_counts > 0, values[:, 0], 0.0)
    np.testing.assert_allclose(summary.qvalues * (summary.visit_counts > 0), expected, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_walks_in_flight_take_different_edges(backend):
    root = mcts.RootFnOutput(np.zeros((2, 6), np.float32), np.zeros(2, np.float32), None)
    tree = mcts.Tree(root, 12, dirichlet_fraction=0.0, backend=backend)
    parent, action = tree.simulate(6)
    np.testing.assert_array_equal(parent, 0)
    np.testing.assert_array_equal(np.sort(action), np.tile(np.arange(6), (2, 1)))
    assert tree.in_flight == 6


@pytest.mark.parametrize("backend", BACKENDS)
def test_walks_to_the_same_edge_take_the_mean(backend):
    root = mcts.RootFnOutput(np.zeros((1, 1), np.float32), np.zeros(1, np.float32), None)
    tree = mcts.Tree(root, 3, backend=backend)
    tree.simulate(3)
    ones = np.ones((1, 3), np.float32)
    node = tree.expand(0 * ones, ones, np.zeros((1, 3, 1)), np.array([[0.1, 0.2, 0.6]]))
    tree.backward()
    np.testing.assert_array_equal(node, 1)
    grown = tree.search_tree()
    np.testing.assert_array_equal(grown.node_visits[0, :2], [4, 3])
    np.testing.assert_allclose(grown.node_values[0, :2], [0.9 / 4, 0.3], atol=1e-6)
    np.testing.assert_allclose(tree.summary().qvalues, 0.3, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_answers_come_in_the_order_of_the_questions(backend):
    tables = random_tables(6, num_states=60, num_actions=4)
    game = HostModel(tables, np.array([0, 1]), 21)
    tree = mcts.Tree(game.root(), 20, seed=(1, 2), backend=backend)
    question = tree.simulate(2)
    for _ in range(9):
        after, answer = game.answer(*question)
        question = tree.simulate(2)  # while the model thinks of the last one
        game.store(tree.expand(*answer), after)
        tree.backward()
    after, answer = game.answer(*question)
    tree.expand(*answer)
    tree.backward()
    assert tree.in_flight == 0
    np.testing.assert_array_equal(tree.summary().visit_counts.sum(-1), 20)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tree_is_carried_over_with_its_states(backend):
    tables = random_tables(7, num_states=60, num_actions=4, discounts=(0.5, 0.9, 1))
    game = HostModel(tables, np.array([0, 1, 2]), 41)
    kwargs = dict(seed=(1, 2), dirichlet_fraction=0.0, backend=backend)
    first = mcts.Tree(game.root(), 40, **kwargs)
    game.drive(first, 10, walks=4)
    counts = first.summary().visit_counts
    kept = first.reroot(counts.argmax(-1), 20)
    later = HostModel(tables, np.zeros(3, int), kept.num_nodes)
    later.states = np.take_along_axis(game.states, kept.embeddings.numpy(), 1)
    second = mcts.Tree(None, 20, search_tree=kept, **kwargs)
    later.drive(second, 5, walks=4)
    np.testing.assert_array_equal(second.search_tree().node_visits[:, 0], counts.max(-1) + 20)
    raw = second.search_tree().raw_values.numpy()
    used = second.search_tree().node_visits.numpy() > 0
    np.testing.assert_array_equal(raw[used], tables["value"][later.states][used])


@pytest.mark.parametrize("field", ["reward", "discount", "prior_logits", "value"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, "shape"])
def test_a_bad_answer_is_named(backend, field, bad):
    root = mcts.RootFnOutput(np.zeros((2, 3), np.float32), np.zeros(2, np.float32), None)
    tree = mcts.Tree(root, 4, backend=backend)
    tree.simulate()
    answer = {key: np.zeros(2, np.float32) for key in ("reward", "discount", "value")}
    answer["prior_logits"] = np.zeros((2, 3), np.float32)
    if bad == "shape":
        answer[field] = answer[field][:1]
    else:
        answer[field][1] = bad
    with pytest.raises(InvalidArgument, match=field):
        tree.expand(**answer)


@pytest.mark.parametrize("kwargs, name", [
    (dict(num_simulations=0), "num_simulations"),
    (dict(max_depth=0), "max_depth"),
    (dict(virtual_loss=np.nan), "virtual_loss"),
    (dict(invalid_actions=np.ones((2, 3))), "legal"),
    (dict(backend="cuda"), "backend"),
])  # fmt: skip
def test_a_bad_argument_is_named(kwargs, name):
    root = mcts.RootFnOutput(np.zeros((2, 3), np.float32), np.zeros(2, np.float32), None)
    with pytest.raises(InvalidArgument, match=name):
        mcts.Tree(root, **(dict(num_simulations=4) | kwargs))


def test_calls_out_of_turn_are_refused():
    root = mcts.RootFnOutput(np.zeros((2, 3), np.float32), np.zeros(2, np.float32), None)
    tree = mcts.Tree(root, 4)
    with pytest.raises(InvalidArgument, match="simulate"):
        tree.expand(*(np.zeros(2),) * 2, np.zeros((2, 3)), np.zeros(2))
    with pytest.raises(InvalidArgument, match="walks"):
        tree.simulate(5)
    with pytest.raises(InvalidArgument, match="walks"):
        tree.simulate(0)
    tree.simulate(4)
    with pytest.raises(InvalidArgument, match="in flight"):
        tree.summary()
