"""Protects the process behind `mcts.Tree`: plain C sees no tree or answer that was not checked."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts
from tests.ops.mcts.models import HostModel, TableModel, assert_same_tree, random_tables

BACKENDS = ("native", "tensorflow")
InvalidArgument = tf.errors.InvalidArgumentError
B, M, A = 2, 6, 3
SHAPES = {"nodes": (B, M, 8), "edges": (B, M, 6, A), "stats": (B, 3), "embeddings": (B, M)}
FIELDS = ("reward", "discount", "prior_logits", "value")
POOL = np.array([-1, 0, 1, 2, 3, 0.5, 1e9, -1e9, np.nan, np.inf, -np.inf], np.float32)
BITS = np.array([0, 1, 2, 65536, 65537, 131074, 196608, -1], np.int32).view(np.float32)


def garbage(rng, shapes):
    parts = {name: rng.choice(POOL, shape) for name, shape in shapes.items()}
    if parts["nodes"].ndim == 3 and parts["nodes"].shape[2] == 8:
        parts["nodes"][..., [1, 7]] = rng.choice(BITS, (*parts["nodes"].shape[:2], 2))
    parts["stats"] = np.where(rng.random(parts["stats"].shape) < 0.7, 1.0, parts["stats"])
    return mcts.SearchTree(**{k: v.astype(np.float32) for k, v in parts.items()})


def other_shape(rng, shape):
    shape = list(shape)
    if rng.random() < 0.3:
        return shape[:-1] if rng.random() < 0.5 else [*shape, 1]
    axis = rng.integers(len(shape))
    shape[axis] = max(shape[axis] + rng.choice([-1, 1, 5, 2000]), 0)
    return shape


def drive(rng, tree):
    """Asks and answers at random, now and then wrongly."""
    while True:
        walks = int(rng.integers(1, 3))
        tree.simulate(walks)
        shape = (B, walks)
        answer = [rng.normal(size=shape) for _ in range(4)]
        answer[2] = rng.normal(size=(*shape, A))
        if rng.random() < 0.2:
            wrong = rng.integers(4)
            answer[wrong] = rng.choice(POOL, answer[wrong].shape)
        tree.expand(*answer)
        tree.backward()


@pytest.mark.parametrize("backend, trials", [("native", 300), ("tensorflow", 40)])
def test_a_tree_of_garbage_ends_in_an_error(backend, trials):
    """Sooner or later: the room runs out at the latest."""
    seed = 41
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for _ in range(trials):
        with pytest.raises(InvalidArgument):
            tree = mcts.Tree(
                None, 3, search_tree=garbage(rng, SHAPES), dirichlet_fraction=0.0, backend=backend
            )
            drive(rng, tree)


@pytest.mark.parametrize("backend", BACKENDS)
def test_parts_of_trees_that_do_not_belong_together_are_named(backend):
    seed = 42
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for trial in range(120):
        name = tuple(SHAPES)[trial % len(SHAPES)]
        shape = other_shape(rng, SHAPES[name])
        if name == "embeddings" and shape[:2] == [B, M]:
            continue
        if name == "edges" and shape[:3] == [B, M, SHAPES["edges"][2]]:
            continue  # Of another number of actions, which they alone tell.
        tree = garbage(rng, SHAPES | {name: shape})
        for call in (
            lambda tree=tree: mcts.Tree(None, 3, search_tree=tree, backend=backend),
            lambda tree=tree: mcts.reroot(tree, [0, 0], 3),
            lambda tree=tree: mcts.muzero_policy(
                None, lambda *_: None, 3, search_tree=tree, backend=backend
            ),
        ):
            with pytest.raises(InvalidArgument, match=r"search_tree\.(nodes|edges|stats|embedd)"):
                call()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("make", [
    lambda tree: tree._replace(stats=tree.stats[:1]),  # three trees with the statistics of one
    lambda tree: tree._replace(nodes=tf.tile(tree.nodes, [2000, 1, 1])),
    lambda tree: tree._replace(nodes=tf.cast(tree.nodes, tf.float64)),
    lambda tree: tree._replace(edges=None),
    lambda tree: tree[:3],
    lambda tree: 3,
])  # fmt: skip
def test_what_is_no_tree_is_named(make, backend):
    model = TableModel(random_tables(0, num_states=20, num_actions=A))
    tree = mcts.muzero_policy(model.root(tf.range(3)), model.step, 5).search_tree
    with pytest.raises(InvalidArgument, match="search_tree"):
        mcts.Tree(None, 6, search_tree=make(tree), backend=backend)


def test_a_tree_of_plain_arrays_in_any_order_is_read_as_it_is():
    model = TableModel(random_tables(3, num_states=40, num_actions=A, discounts=(0.5, 0.9, 1)))
    tree = mcts.muzero_policy(model.root(tf.range(3)), model.step, 30).search_tree
    kept = mcts.reroot(tree, np.argmax(tree.summary().visit_counts, axis=1), 4)
    arrays = mcts.SearchTree(*(np.asfortranarray(part) for part in kept[:3]), kept.embeddings)
    ours, theirs = (mcts.Tree(None, 4, search_tree=t, seed=(1, 2)) for t in (arrays, kept))
    assert_same_tree(ours.search_tree(), theirs.search_tree())


def carried_on(tables, first, then):
    """Ten simulations on one backend and ten more, by a policy and by the host, on the other."""
    model, kwargs = TableModel(tables), dict(dirichlet_fraction=0.0, seed=(1, 2))
    root = model.root(tf.range(B))
    tree = mcts.muzero_policy(root, model.step, 10, backend=first, **kwargs).search_tree
    kept = mcts.reroot(tree, tf.argmax(tree.summary().visit_counts, axis=1), 10)
    kwargs |= dict(search_tree=kept, backend=then)
    game = HostModel(tables, np.zeros(B, int), kept.num_nodes)
    game.states = kept.embeddings.numpy()
    siblings = mcts.qtransform_by_parent_and_siblings
    host = mcts.Tree(None, 10, qtransform=siblings, **kwargs)
    game.drive(host, 10)
    return mcts.muzero_policy(None, model.step, 10, **kwargs).search_tree, host.search_tree()


@pytest.mark.parametrize("first, then", [BACKENDS, BACKENDS[::-1]])
def test_a_tree_goes_on_with_either_backend(first, then):
    """Whichever made it: the native one keeps edges in another order."""
    tables = random_tables(5, num_states=60, num_actions=A, discounts=(0.5, 0.9, 1))
    expected, _ = carried_on(tables, "native", "native")
    for found in carried_on(tables, first, then):
        assert_same_tree(found, expected)


@pytest.mark.parametrize("answer", ["shape", "text", "ragged", "complex", "none"])
@pytest.mark.parametrize("field", range(4))
def test_an_answer_that_is_no_array_of_numbers_is_named(answer, field):
    root = mcts.RootFnOutput(np.zeros((B, A)), np.zeros(B), None)
    tree = mcts.Tree(root, 2, backend="native")
    tree.simulate()
    given = [np.zeros(B), np.zeros(B), np.zeros((B, A)), np.zeros(B)]
    given[field] = {
        "shape": given[field][..., None],
        "text": np.full(given[field].shape, "a"),
        "ragged": [[1.0], [2.0, 3.0]],
        "complex": given[field] * 1j,
        "none": None,
    }[answer]
    with pytest.raises(InvalidArgument, match=FIELDS[field]):
        tree.expand(*given)
    given[field] = np.zeros((B, A) if field == 2 else B)
    tree.expand(*given)
    tree.backward()
    np.testing.assert_array_equal(tree.search_tree().node_visits[:, 0], 2)


@pytest.mark.parametrize("kwargs, name", [
    (dict(walks=0), "walks"), (dict(walks=-1), "walks"), (dict(walks=1.5), "walks"),
    (dict(walks=2**40), "walks"),
])  # fmt: skip
def test_walks_that_are_no_number_are_refused(kwargs, name):
    tree = mcts.Tree(mcts.RootFnOutput(np.zeros((B, A)), np.zeros(B), None), 4)
    with pytest.raises(InvalidArgument, match=name):
        tree.simulate(**kwargs)


@pytest.mark.parametrize("virtual_loss", [1e300, np.nan, "much", [1.0, 2.0], None])
def test_a_virtual_loss_that_is_no_number_is_refused(virtual_loss):
    root = mcts.RootFnOutput(np.zeros((B, A)), np.zeros(B), None)
    with pytest.raises(InvalidArgument, match="virtual_loss"):
        mcts.Tree(root, 4, virtual_loss=virtual_loss)


def test_a_tree_inside_a_graph_is_refused():
    root = mcts.RootFnOutput(tf.zeros((B, A)), tf.zeros(B), None)
    with pytest.raises(InvalidArgument, match=r"mcts\.Tree"):
        tf.function(lambda: mcts.Tree(root, 4) and 0)()


@pytest.mark.parametrize("kwargs, name", [
    (dict(action=[0.5, 1.0]), "action"), (dict(action=["a", "b"]), "action"),
    (dict(action=[0, 0, 0]), "action"), (dict(action=[2**40, 0]), "action"),
    (dict(num_simulations=-1), "num_simulations"), (dict(num_simulations=2**24), "num_simul"),
    (dict(max_kept=0), "max_kept"), (dict(max_kept=2.5), "max_kept"),
    (dict(max_kept=2**40), "max_kept"),
])  # fmt: skip
def test_a_reroot_that_cannot_be_is_named(kwargs, name):
    model = TableModel(random_tables(3, num_states=40, num_actions=A))
    tree = mcts.muzero_policy(model.root(tf.range(B)), model.step, 10).search_tree
    with pytest.raises(InvalidArgument, match=name):
        mcts.reroot(tree, **(dict(action=[0, 0], num_simulations=3) | kwargs))
