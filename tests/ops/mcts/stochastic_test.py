"""Protects stochastic_muzero_policy: both backends grow the tree of a search in float64, and find
what probability theory says.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts
from tests.ops.mcts.models import assert_same_tree
from tests.ops.mcts.stochastic_models import ReferenceSearch, StochasticTable, random_tables

BACKENDS = ("native", "tensorflow")
InvalidArgument = tf.errors.InvalidArgumentError


def assert_is_reference(tree, row, reference, num_actions):
    """Row `row` of a batch of trees, node for node: numbers equal, values within 2e-5."""
    whole = tree.whole
    made = [number for number in range(whole.num_nodes) if number in reference.nodes]
    np.testing.assert_array_equal(np.flatnonzero(tree.node_visits[row]), made)
    for number, node in reference.nodes.items():
        first = num_actions if node.is_chance else 0
        above = -1 if node.above is None else node.above.number
        into = node.action if node.is_chance or number == 0 else num_actions + node.action
        assert tree.node_visits[row, number] == len(node.returns)
        assert (tree.parents[row, number], tree.action_from_parent[row, number]) == (above, into)
        children = {first + edge: below.number for edge, below in node.below.items()}
        found = whole.children_index[row, number].numpy()
        assert {edge: found[edge] for edge in np.flatnonzero(found >= 0)} == children
        np.testing.assert_allclose(tree.node_values[row, number], node.mean, atol=2e-5)
        assert bool(tree.embeddings.is_decision_node[row, number]) != node.is_chance


@pytest.mark.parametrize("qtransform, num_actions, num_outcomes, max_depth", [
    (mcts.qtransform_by_parent_and_siblings(), 3, 5, None),
    (mcts.qtransform_by_parent_and_siblings(), 12, 2, 4),
    (mcts.qtransform_by_min_max(-3.0, 3.0, fpu_reduction=0.3), 1, 4, 3),
    (mcts.qtransform_by_tree_min_max(), 4, 21, None),
    (mcts.qtransform_completed_by_mix_value(), 2, 3, None),
])  # fmt: skip
def test_both_backends_grow_the_tree_of_a_search_in_float64(
    qtransform, num_actions, num_outcomes, max_depth
):
    seed, num_simulations = 40 + num_actions, 60
    print("seed", seed)
    tables = random_tables(seed, 24, num_actions, num_outcomes)
    illegal = np.random.default_rng(seed).random((4, num_actions)) < 0.3
    illegal[:, 0] = False
    trees = []
    for backend in BACKENDS:
        out = StochasticTable(tables).traced(
            np.arange(4), num_simulations, qtransform=qtransform, max_depth=max_depth,
            invalid_actions=illegal, backend=backend,
        )  # fmt: skip
        trees.append(out.search_tree)
    for row in range(4):
        reference = ReferenceSearch(tables, row, illegal[row], qtransform, max_depth)
        reference.run(num_simulations)
        for tree in trees:
            assert_is_reference(tree, row, reference, num_actions)
    assert_same_tree(trees[0].whole, trees[1].whole)


def test_the_twin_compiles_under_xla():
    model = StochasticTable(random_tables(5, 24, 4, 3))
    compiled, native = (
        model.traced([0, 1, 2], 30, jit_compile=compiles, backend=backend).search_tree
        for compiles, backend in ((True, "auto"), (False, "native"))
    )
    assert_same_tree(compiled.whole, native.whole)


def apportioned(prior, visits):
    """Jefferson's method in fractions: who has the greatest prior / (visits + 1) gets one more."""
    seats = [0] * len(prior)
    for _ in range(visits):
        quotients = [p / (n + 1) for p, n in zip(prior, seats, strict=True)]
        seats[quotients.index(max(quotients))] += 1
    return seats


CHANCES = (
    [Fraction(1, 6)] * 6,  # a die
    [Fraction(9, 10), Fraction(1, 10), *[Fraction(0)] * 4],  # a tile of 2048
    [Fraction(1, 36)] * 4 + [Fraction(16, 36)] * 2,
    [Fraction(k, 21) for k in (6, 5, 4, 3, 2, 1)],
)


@pytest.mark.parametrize("backend", BACKENDS)
def test_visits_of_outcomes_follow_their_prior(backend):
    """Exactly, though scores tie in most visits: rounding decides nothing."""
    prior, visits = np.array([[float(p) for p in row] for row in CHANCES], np.float32), 100
    with np.errstate(divide="ignore"):
        logits = np.log(prior)[:, None]
    tables = random_tables(3, 4, 1, 6) | {"chance_logits": logits}
    tables["action_logits"][:] = 0.0
    tree = StochasticTable(tables).traced(range(4), visits + 1, max_depth=2, backend=backend)
    whole = tree.search_tree.whole
    found = whole.children_visits.numpy()[:, 1, 1:]  # node 1 is the one action's
    np.testing.assert_array_equal(found, [apportioned(row, visits) for row in CHANCES])
    assert (found >= np.floor(visits * np.array(CHANCES))).all()
    np.testing.assert_array_less(np.abs(found[:2] - visits * prior[:2]), 1.0)


def layered_tables(seed, num_layers, width, num_actions, num_outcomes):
    """A problem of `num_layers` moves with uniform priors; nothing is told of any value."""
    tables = random_tables(seed, (num_layers + 1) * width, num_actions, num_outcomes)
    layer = np.arange((num_layers + 1) * width) // width
    below = np.minimum(layer + 1, num_layers)[:, None, None] * width
    tables["next_state"] = (below + tables["next_state"] % width).astype(np.int32)
    tables["action_logits"][:] = 0.0
    tables["action_logits"][layer == num_layers] = -np.inf
    tables["reward"] = np.tanh(tables["reward"])
    tables["value"][:] = tables["afterstate_value"][:] = 0.0
    return tables


def expectimax(tables):
    """Q of every state and action by backward induction: [S, A]."""
    prior = np.exp(tables["chance_logits"].astype(np.float64))
    prior /= prior.sum(-1, keepdims=True)
    terminal, value = ~np.isfinite(tables["action_logits"]).any(-1), np.zeros(len(tables["value"]))
    for _ in range(10):
        after = tables["reward"] + tables["discount"] * value[tables["next_state"]]
        qvalues = (prior * after).sum(-1)
        value = np.where(terminal, 0.0, qvalues.max(-1))
    return qvalues


@pytest.mark.parametrize("backend, num_simulations, tolerance", [
    ("native", 8000, 0.05), ("tensorflow", 1000, 0.2)
])  # fmt: skip
def test_a_search_converges_to_the_expectimax_value(backend, num_simulations, tolerance):
    seed = 11
    print("seed", seed)
    tables = layered_tables(seed, 2, width=6, num_actions=3, num_outcomes=4)
    out = StochasticTable(tables).traced(range(6), num_simulations, backend=backend)
    optimal, summary = expectimax(tables)[:6], out.search_tree.summary()
    taken = optimal[range(6), out.action]
    np.testing.assert_array_less(optimal.max(-1) - taken, tolerance)
    np.testing.assert_allclose(summary.value, optimal.max(-1), atol=tolerance)


def dice_tables():
    """Three throws of a die at most; action 0 throws, action 1 takes what lies and ends.

    State 6 r + f - 1: the die shows f and r throws are left; state 18: nothing is thrown yet;
    state 19: the end. A leaf is worth what lies, a throw 3.5.
    """
    tables = {
        "action_logits": np.zeros((20, 2), np.float32),
        "value": np.zeros(20, np.float32),
        "chance_logits": np.full((20, 2, 6), -np.inf, np.float32),
        "afterstate_value": np.zeros((20, 2), np.float32),
        "next_state": np.full((20, 2, 6), 19, np.int32),
        "reward": np.zeros((20, 2, 6), np.float32),
        "discount": np.zeros((20, 2, 6), np.float32),
    }
    tables["chance_logits"][:, 1, 0] = 0.0
    tables["afterstate_value"][:, 0] = 3.5
    for state in range(18):
        face = state % 6 + 1
        tables["reward"][state, 1] = tables["afterstate_value"][state, 1] = face
        tables["value"][state] = face
    for state in range(6, 19):
        tables["chance_logits"][state, 0] = 0.0
        tables["next_state"][state, 0] = 6 * (state // 6 - 1) + np.arange(6)
        tables["discount"][state, 0] = 1.0
    tables["action_logits"][18, 1] = tables["action_logits"][:6, 0] = -np.inf
    tables["action_logits"][19] = -np.inf
    return tables


def test_it_plays_the_game_of_three_throws_and_knows_what_it_is_worth():
    """With two throws left a 4 is thrown again and a 5 kept; with one left, a 3 and a 4: 14/3."""
    faces = {18: 0, 12 + 3: 0, 12 + 4: 1, 6 + 2: 0, 6 + 3: 1}
    out = StochasticTable(dice_tables()).traced(
        list(faces), 6000, qtransform=mcts.qtransform_by_min_max(1, 6), pb_c_init=0.4,
        backend="native",
    )  # fmt: skip
    np.testing.assert_array_equal(out.action, list(faces.values()))
    short = np.array([14 / 3, 4.25, 5, 3.5, 4]) - out.search_tree.summary().value.numpy()
    assert (short >= 0).all() and (short < 0.2).all(), short  # what is told is never too much


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_tree_shows_actions_and_the_action_is_one_of_them(backend):
    model = StochasticTable(random_tables(7, 24, 3, 8))
    illegal = np.array([[0, 1, 0], [1, 0, 0]])
    out = model.traced([0, 1], 25, invalid_actions=illegal, temperature=1.0, backend=backend)
    tree, summary = out.search_tree, out.search_tree.summary()
    assert tree.children_visits.shape == tree.children_index.shape == (2, 26, 3)
    assert tree.whole.children_visits.shape == (2, 26, 11)
    assert summary.qvalues.shape == out.action_weights.shape == (2, 3)
    np.testing.assert_array_equal(tf.reduce_sum(summary.visit_counts, -1), 25)
    np.testing.assert_allclose(tf.reduce_sum(out.action_weights, -1), 1.0, rtol=1e-6)
    logits = model.tables["action_logits"].numpy()[:2]
    forbidden = (illegal != 0) | ~np.isfinite(logits)
    np.testing.assert_array_equal(tree.root_invalid_actions, forbidden)
    assert not summary.visit_counts.numpy()[forbidden].any()
    assert not forbidden[[0, 1], out.action].any()
    assert set(np.unique(tree.children_discounts)) <= {0.0, 1.0}  # an action alone ends nothing


@pytest.mark.parametrize("backend", BACKENDS)
def test_noise_and_choice_come_from_the_seed_and_spare_illegal_actions(backend):
    model, illegal = StochasticTable(random_tables(8, 24, 5, 3)), np.eye(5)[:3]
    noisy = dict(dirichlet_fraction=0.9, temperature=1.0, invalid_actions=illegal, backend=backend)
    one, same, other = (
        model.search([0, 1, 2], 20, **noisy, seed=tf.constant(seed))
        for seed in ([3, 4], [3, 4], [5, 6])
    )
    np.testing.assert_array_equal(one.action_weights, same.action_weights)
    np.testing.assert_array_equal(one.action, same.action)
    assert np.any(one.action_weights.numpy() != other.action_weights)
    for out in (one, other):
        assert not out.action_weights.numpy()[illegal > 0].any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("max_depth", [1, 2, 5])
def test_no_walk_is_longer_than_max_depth(backend, max_depth):
    tables = layered_tables(13, 4, width=4, num_actions=2, num_outcomes=2)
    tree = (
        StochasticTable(tables)
        .search(range(4), 50, max_depth=max_depth, backend=backend)
        .search_tree
    )
    parents, depth = tree.parents.numpy(), np.zeros(tree.parents.shape, int)
    for node in range(1, parents.shape[1]):
        above = np.maximum(parents[:, node], 0)
        depth[:, node] = (parents[:, node] >= 0) * (depth[np.arange(4), above] + 1)
    assert depth.max() == max_depth
    np.testing.assert_array_equal(tree.node_visits[:, 0], 51)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_of_one_asks_one_function_a_simulation(backend):
    """And grows the tree that it grows in a batch."""
    model, asked = StochasticTable(random_tables(9, 24, 3, 3)), []
    batch = model.search([0, 1], 20, backend=backend).search_tree.whole
    decide, happen = model.decide, model.happen

    def counted(kind, function):
        def call(index, embedding):
            index = tf.numpy_function(lambda i: asked.append(kind) or i, [index], tf.int32)
            return function(tf.ensure_shape(index, [1]), embedding)

        return call

    model.decide, model.happen = counted("decide", decide), counted("happen", happen)
    alone = model.search([0], 20, backend=backend).search_tree.whole
    assert len(asked) == 21  # one to learn the shapes
    assert asked.count("happen") == alone.embeddings.is_decision_node.numpy().sum() - 1
    assert_same_tree(alone, tf.nest.map_structure(lambda part: part[:1], batch))


@pytest.mark.parametrize("backend", BACKENDS)
def test_fewer_simulations_are_the_shorter_search(backend):
    model = StochasticTable(random_tables(10, 24, 3, 4))
    bounded = model.traced([0, 1], 30, simulations=tf.constant(12), backend=backend)
    shorter = model.traced([0, 1], 12, backend=backend)
    np.testing.assert_array_equal(bounded.action_weights, shorter.action_weights)
    np.testing.assert_array_equal(bounded.search_tree.node_visits[:, 13:], 0)


@pytest.mark.parametrize("kwargs, name", [
    (dict(num_simulations=-1), "num_simulations"),
    (dict(max_depth=0), "max_depth"),
    (dict(backend="cuda"), "backend"),
    (dict(invalid_actions=np.ones((2, 4))), "invalid_actions"),
    (dict(invalid_actions=np.ones((2, 3))), "legal"),
    (dict(dirichlet_noise=np.ones((3, 3), np.float32), dirichlet_fraction=0.5), "dirichlet_noise"),
    (dict(simulations=tf.constant([1, 2])), "simulations"),
])  # fmt: skip
def test_bad_arguments_are_named(kwargs, name):
    kwargs = dict(num_simulations=8) | kwargs
    with pytest.raises(InvalidArgument, match=name):
        StochasticTable(random_tables(1, 16, 3, 4)).search([0, 1], **kwargs)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("field", [
    "chance_logits", "afterstate_value", "action_logits", "value", "reward", "discount"
])  # fmt: skip
def test_a_model_that_is_not_finite_is_named(backend, field):
    tables = random_tables(2, 16, 3, 4)
    tables["discount"][:] = 1.0
    tables[field][2:] = np.nan  # the roots are states 0 and 1
    tables["next_state"][:] = 3
    if field in ("reward", "discount", "chance_logits", "afterstate_value"):
        tables[field][:] = np.nan
    with pytest.raises(InvalidArgument, match=f"^{field} |[^_]{field} "):
        StochasticTable(tables).search([0, 1], 8, backend=backend)


def plain(outputs):
    return lambda index, embedding: outputs(index, embedding)[0]


def narrower(outputs):
    def call(index, embedding):
        said, after = outputs(index, embedding)
        return type(said)(*(field[..., :1] for field in said)), after

    return call


def other_embedding(change):
    def changed(outputs):
        def call(index, embedding):
            said, after = outputs(index, embedding)
            return said, change(after)

        return call

    return changed


@pytest.mark.parametrize("name, change, message", [
    ("decide", plain, r"decision_recurrent_fn must return \(DecisionRecurrentFnOutput, emb"),
    ("happen", plain, r"chance_recurrent_fn must return \(ChanceRecurrentFnOutput, embedding\)"),
    ("happen", narrower, r"action_logits has shape \(2, 1\), not \(2, 3\)"),
    ("happen", other_embedding(lambda e: [e, e]), "chance_recurrent_fn gave an embedding of ano"),
    ("happen", other_embedding(lambda e: e[:, None]), r"expected int32 \(2,\)"),
    ("happen", other_embedding(lambda e: tf.cast(e, tf.int64)), "embedding of int64"),
])  # fmt: skip
def test_a_model_of_the_wrong_form_is_named(name, change, message):
    model = StochasticTable(random_tables(1, 16, 3, 4))
    setattr(model, name, change(getattr(model, name)))
    with pytest.raises(InvalidArgument, match=message):
        model.search([0, 1], 4)


def test_its_tree_is_not_taken_for_one_of_decisions_alone():
    model = StochasticTable(random_tables(1, 16, 3, 4))
    tree = model.search([0, 1], 4).search_tree
    with pytest.raises(InvalidArgument, match="search_tree is a StochasticSearchTree"):
        mcts.reroot(tree, tf.constant([0, 0]), 4)
    with pytest.raises(InvalidArgument, match="search_tree is a StochasticSearchTree"):
        mcts.muzero_policy(None, model.decide, 4, search_tree=tree)


@pytest.mark.parametrize("shape", [(2,), (2, 0), (2, (1 << 16) - 1)])
def test_outcomes_that_make_no_edges_are_named(shape):
    model = StochasticTable(random_tables(1, 16, 3, 4))
    model.decide = lambda action, state: (
        mcts.DecisionRecurrentFnOutput(tf.zeros(shape), tf.zeros([2])), state
    )  # fmt: skip
    with pytest.raises(InvalidArgument, match=r"chance_logits has|A \+ C is 65538"):
        model.search([0, 1], 4)
