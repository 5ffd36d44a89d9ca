"""Protects what users of mctx know: its transforms, seeds, types and the tree's own words."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from ops import loader, mcts
from ops.mcts import backends
from ops.mcts.qtransforms import resolved
from tests.ops.mcts.models import HostModel, TableModel, assert_same_tree, random_tables

BACKENDS = ("native", "tensorflow")
InvalidArgument = tf.errors.InvalidArgumentError
B, A, N = 3, 4, 8
TABLES = random_tables(seed=21, num_states=60, num_actions=A)
MODEL = TableModel(TABLES)
POLICIES = (mcts.muzero_policy, mcts.gumbel_muzero_policy)


def search(backend="auto", policy=mcts.muzero_policy, num_simulations=N, step=MODEL.step, **kwargs):
    root = kwargs.pop("root", None) or MODEL.root(tf.range(B))
    return policy(root, step, num_simulations, seed=(1, 2), backend=backend, **kwargs)


@pytest.mark.parametrize("given, value", [
    (mcts.qtransform_by_parent_and_siblings, mcts.qtransform_by_parent_and_siblings()),
    (
        functools.partial(mcts.qtransform_completed_by_mix_value, value_scale=0.2),
        mcts.qtransform_completed_by_mix_value(value_scale=0.2),
    ),
    (
        functools.partial(functools.partial(mcts.qtransform_by_min_max, max_value=2), min_value=-2),
        mcts.qtransform_by_min_max(-2.0, 2.0),
    ),
    (mcts.qtransform_by_tree_min_max, mcts.qtransform_by_tree_min_max()),
])  # fmt: skip
def test_a_function_or_a_partial_is_the_transform_it_makes(given, value):
    assert resolved(given) == value


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_partial_searches_as_the_value_does(policy, backend):
    partial = functools.partial(mcts.qtransform_completed_by_mix_value, value_scale=0.2)
    ours = search(backend, policy, qtransform=partial)
    theirs = search(backend, policy, qtransform=partial())
    assert_same_tree(ours.search_tree, theirs.search_tree)
    np.testing.assert_array_equal(ours.action_weights, theirs.action_weights)


@pytest.mark.parametrize("policy, qtransform", [
    (mcts.muzero_policy, functools.partial(mcts.qtransform_by_parent_and_siblings, epsilon=0.5)),
    (
        mcts.muzero_policy,
        functools.partial(mcts.qtransform_by_min_max, min_value=-3.0, max_value=3.0),
    ),
    (mcts.gumbel_muzero_policy, mcts.qtransform_completed_by_mix_value),
])  # fmt: skip
def test_a_function_of_ones_own_sees_the_tree_as_the_backends_do(policy, qtransform):
    """The same transform, by a function that no backend knows."""

    def own(tree, node_index):
        assert node_index.shape == (B,)
        return qtransform(tree, node_index)

    native = search("native", policy, qtransform=qtransform)
    found = tf.function(lambda: search("auto", policy, qtransform=own))()
    assert_same_tree(found.search_tree, native.search_tree)
    np.testing.assert_allclose(found.action_weights, native.action_weights, atol=1e-5)


def test_a_transform_may_be_written_in_the_trees_own_words():
    def hopeful(tree, node_index):
        node = tree.at(node_index)
        value = tf.where(node.children_visits > 0, node.qvalues, node.node_values[:, None])
        return tf.maximum(value, 0.0)

    run = tf.function(lambda: search(qtransform=hopeful), jit_compile=True)
    tree = run().search_tree
    np.testing.assert_array_equal(tree.node_visits[:, 0], N + 1)
    shapes = {name: part.shape for name, part in tree.at(tf.constant([0, 3, 7]))._asdict().items()}
    assert {shapes.pop(k) for k in ("node_visits", "node_values", "raw_values")} == {(B,)}
    assert set(shapes.values()) == {(B, A)}
    game = HostModel(TABLES, np.arange(B), N + 1)
    host = mcts.Tree(game.root(), N, qtransform=hopeful, dirichlet_fraction=0.0)
    game.drive(host, N)
    same = search("tensorflow", qtransform=hopeful, dirichlet_fraction=0.0).search_tree
    assert_same_tree(host.search_tree(), same)


def test_who_can_call_a_function_of_ones_own():
    own = lambda tree, node_index: tree.qvalues(node_index)  # noqa: E731
    assert backends.resolve("auto") == "native"
    assert backends.resolve("auto", own) == "tensorflow"
    with pytest.raises(InvalidArgument, match="qtransform of your own"):
        search("native", qtransform=own)


@pytest.mark.parametrize("bad", [
    lambda tree, node: tree.qvalues(node)[0],
    lambda tree, node: tree.qvalues(node) * np.nan,
    lambda tree, node: "much",
])  # fmt: skip
def test_a_function_that_gives_no_values_is_named(bad):
    with pytest.raises(InvalidArgument, match="qtransform"):
        search(qtransform=bad)


def test_a_model_may_take_a_seed_a_simulation():
    def noisy(action, state, seed):
        step, after = MODEL.step(action, state)
        return step._replace(reward=tf.random.stateless_normal([B], seed)), after

    steps = (noisy, tf.function(noisy), functools.partial(noisy))
    trees = [search("native", step=step).search_tree for step in steps]
    twin = tf.function(lambda: search("tensorflow", step=noisy).search_tree)()
    for tree in (*trees[1:], twin):
        assert_same_tree(tree, trees[0])
    rewards = trees[0].children_rewards.numpy()
    assert len(np.unique(rewards[rewards != 0])) == B * N
    gumbel = search(policy=mcts.gumbel_muzero_policy, step=noisy).search_tree
    assert len(np.unique(gumbel.children_rewards)) > N
    other = mcts.muzero_policy(MODEL.root(tf.range(B)), noisy, N, seed=(2, 2)).search_tree
    assert not np.isin(other.children_rewards, rewards[rewards != 0]).any()


def test_a_seed_that_has_a_value_already_is_the_callers_own():
    def step(action, state, seed):
        assert seed == "mine"
        return MODEL.step(action, state)

    search(step=functools.partial(step, seed="mine"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_simulations_the_policy_is_uniform_over_the_legal_actions(backend):
    none = search(backend, num_simulations=0)
    np.testing.assert_allclose(none.action_weights, 1 / A)
    assert none.search_tree.num_simulations == 0
    mask = np.array([[0, 0, 1, 1], [0, 1, 1, 1], [0, 0, 0, 0]])
    masked = search(backend, num_simulations=0, invalid_actions=mask)
    np.testing.assert_allclose(
        masked.action_weights, [[0.5, 0.5, 0, 0], [1, 0, 0, 0], [0.25] * 4], atol=1e-7
    )
    summary = masked.search_tree.summary()
    np.testing.assert_array_equal(summary.visit_counts, np.zeros((B, A)))
    np.testing.assert_array_equal(summary.value, TABLES["value"][:B])


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_simulations_gumbel_takes_the_best_prior_and_its_noise(backend):
    gumbel = np.random.default_rng(3).gumbel(size=(B, A))
    out = search(backend, mcts.gumbel_muzero_policy, 0, gumbel=gumbel)
    logits = TABLES["prior_logits"][:B]
    np.testing.assert_array_equal(out.action, (gumbel + logits).argmax(-1))
    np.testing.assert_allclose(out.action_weights, tf.nn.softmax(logits), atol=1e-6)


@pytest.mark.parametrize("policy, backend", zip(POLICIES, BACKENDS, strict=True))
@pytest.mark.parametrize("dtype", [tf.float64, tf.bfloat16])
def test_a_root_and_a_model_of_another_precision_are_cast(dtype, policy, backend):
    """Values that every type holds, so that the searches are the same."""
    tables = {k: np.round(v * 8) / 8 if v.dtype == np.float32 else v for k, v in TABLES.items()}
    tables["discount"] = np.where(tables["discount"] > 0.5, 1.0, 0.0).astype(np.float32)
    model = TableModel(tables)

    def cast(part):
        floats = lambda x: tf.cast(x, dtype) if x.dtype.is_floating else x  # noqa: E731
        return tf.nest.map_structure(floats, part)

    root = model.root(tf.range(B))
    out = search(backend, policy, root=cast(root), step=lambda *args: cast(model.step(*args)))
    assert out.action_weights.dtype == tf.float32
    plain = search(backend, policy, root=root, step=model.step)
    assert_same_tree(out.search_tree, plain.search_tree)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_tree_speaks_as_mctxs_does(backend):
    tree = search(backend).search_tree
    assert (tree.ROOT_INDEX, tree.NO_PARENT, tree.UNVISITED) == (0, -1, -1)
    assert (tree.num_simulations, tree.num_actions) == (N, A)
    node = tf.constant([0, 2, 5])
    rewards, discounts, values = (
        tf.gather(part, node, axis=1, batch_dims=1)
        for part in (tree.children_rewards, tree.children_discounts, tree.children_values)
    )
    np.testing.assert_allclose(tree.qvalues(node), rewards + discounts * values, atol=1e-6)
    np.testing.assert_array_equal(tree.qvalues(tree.ROOT_INDEX), tree.summary().qvalues)
    summary = tree.summary()
    assert {part.dtype for part in summary} == {tf.float32}
    assert tree.children_visits.dtype == tree.node_visits.dtype == tf.int32
    np.testing.assert_array_equal(summary.visit_counts, tree.children_visits[:, 0])


@pytest.mark.parametrize("bad, name", [
    (lambda step, after: (step, (after, after)), "2 parts"),
    (lambda step, after: (step, tf.cast(after, tf.float32)), "float32"),
    (lambda step, after: (step, after[:, None]), r"\(3, 1\)"),
    (lambda step, after: (step, after[:2]), r"\(2,\)"),
    (lambda step, after: (tuple(step), after), "RecurrentFnOutput"),
    (lambda step, after: step, "RecurrentFnOutput"),
    (lambda step, after: (step._replace(reward="much"), after), "reward"),
])  # fmt: skip
@pytest.mark.parametrize("backend", BACKENDS)
def test_an_answer_that_is_none_is_named(bad, name, backend):
    with pytest.raises(InvalidArgument, match=name):
        search(backend, step=lambda *args: bad(*MODEL.step(*args)))


def test_a_library_that_is_missing_has_an_error_of_its_own(monkeypatch):
    """A program can tell it from other errors and print its message."""
    why = "the native ops of ops/mcts are not built; `make setup` builds them"
    monkeypatch.setattr(loader, "_load", lambda name: (None, why))
    with pytest.raises(loader.LibraryMissing) as caught:
        search("native")
    assert caught.value.message == f"backend is 'native', but {why}"
    assert isinstance(caught.value, InvalidArgument) and isinstance(caught.value, ValueError)
    assert search("auto").search_tree.num_simulations == N
