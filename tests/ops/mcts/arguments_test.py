"""Protects numbers given to a search: tensors a tree mean what numbers mean, bad ones are named."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts
from ops.mcts import seq_halving
from tests.ops.mcts.models import FIELDS, HostModel, TableModel, assert_same_tree, random_tables

BACKENDS = ("native", "tensorflow")
InvalidArgument = tf.errors.InvalidArgumentError
B, A, N = 3, 5, 8
TABLES = random_tables(seed=11, num_states=60, num_actions=A)
MODEL = TableModel(TABLES)

# One number a tree for each argument that may be a tensor, with what reads it.
MIXED, BOUNDS = mcts.qtransform_completed_by_mix_value, mcts.qtransform_by_min_max
EACH = {
    "pb_c_init": ((0.3, 1.25, 5.0), {}),
    "pb_c_base": ((3.0, 100.0, 19652.0), {}),
    "max_depth": ((1, 3, 2**40), {}),
    "value_scale": ((0.01, 0.1, 0.7), {"qtransform": MIXED}),
    "maxvisit_init": ((0.0, 20.0, 50.0), {"qtransform": MIXED}),
    "min_value": ((-9.0, -3.0, -1.0), {"qtransform": functools.partial(BOUNDS, max_value=3.0)}),
    "max_value": ((1.0, 3.0, 9.0), {"qtransform": functools.partial(BOUNDS, min_value=-3.0)}),
    "fpu_reduction": (
        (0.0, 0.2, 1.0),
        {"qtransform": functools.partial(BOUNDS, min_value=-3.0, max_value=3.0)},
    ),
    "epsilon": ((1e-8, 0.5, 4.0), {"qtransform": mcts.qtransform_by_parent_and_siblings}),
}


def search(backend, rows=range(B), policy=mcts.muzero_policy, num_simulations=N, **kwargs):
    root = MODEL.root(tf.constant(list(rows)))
    return policy(root, MODEL.step, num_simulations, seed=(1, 2), backend=backend, **kwargs)


def arguments(name, value):
    """The search's arguments with one of them changed, be it the q-transform's."""
    common = dict(dirichlet_fraction=0.0) | EACH[name][1]
    if "qtransform" in common:
        return common | {"qtransform": functools.partial(common["qtransform"], **{name: value})}
    return common | {name: value}


@pytest.mark.parametrize("name", EACH)
def test_a_tensor_gives_each_tree_its_own_number(name):
    values = EACH[name][0]
    numbers = tf.constant(values, tf.int64 if name == "max_depth" else tf.float32)
    run = tf.function(lambda numbers: search("native", **arguments(name, numbers)).search_tree)
    together = run(numbers)
    for row, value in enumerate(values):
        alone = search("native", rows=[row], **arguments(name, value)).search_tree
        for field in FIELDS:
            ours, theirs = getattr(together, field)[row], getattr(alone, field)[0]
            np.testing.assert_allclose(ours, theirs, atol=2e-5, err_msg=field)
    assert_same_tree(search("tensorflow", **arguments(name, numbers)).search_tree, together)
    plain = search("native", **arguments(name, values[1])).search_tree
    assert_same_tree(run(numbers[1]), plain)


@pytest.mark.parametrize("backend", BACKENDS)
def test_gumbel_and_the_host_take_tensors_too(backend):
    scales, depths = np.array([0.01, 0.1, 0.7]), np.array([1, 2, 20])
    qtransform = functools.partial(MIXED, value_scale=scales)
    policy = mcts.gumbel_muzero_policy
    together = search(backend, policy=policy, qtransform=qtransform, gumbel_scale=0.0)
    for row in range(B):
        part = functools.partial(MIXED, value_scale=float(scales[row]))
        alone = search(backend, [row], policy, qtransform=part, gumbel_scale=0.0)
        np.testing.assert_allclose(together.action_weights[row], alone.action_weights[0], atol=1e-5)
        np.testing.assert_array_equal(together.action[row], alone.action[0])
    game = HostModel(TABLES, np.arange(B), N + 1)
    kwargs = dict(max_depth=depths, pb_c_init=scales, dirichlet_fraction=0.0, backend=backend)
    tree = mcts.Tree(game.root(), N, qtransform=mcts.qtransform_by_parent_and_siblings, **kwargs)
    game.drive(tree, N)
    assert_same_tree(tree.search_tree(), search(**kwargs).search_tree)


@pytest.mark.parametrize("backend", BACKENDS)
def test_no_depth_is_too_large(backend):
    unlimited = search(backend, dirichlet_fraction=0.0).search_tree
    for depth in (2**32 + 1, tf.constant([2**31, 2**32 + 1, 2**62], tf.int64)):
        found = search(backend, dirichlet_fraction=0.0, max_depth=depth).search_tree
        assert_same_tree(found, unlimited)
    game = HostModel(TABLES, np.arange(B), N + 1)
    kwargs = dict(qtransform=mcts.qtransform_by_parent_and_siblings(), dirichlet_fraction=0.0)
    tree = mcts.Tree(game.root(), N, max_depth=2**32 + 1, backend=backend, **kwargs)
    game.drive(tree, N)
    assert_same_tree(tree.search_tree(), unlimited)


def test_a_temperature_a_tree_is_that_of_its_tree():
    """As many trees as actions, so that one along the actions would pass unseen."""
    temperature = tf.constant([0.0, 1e9, 0.0, 1.0, 0.0])
    roots = tf.constant([0, 1, 2, 3, 4])
    outs = [
        mcts.muzero_policy(
            MODEL.root(roots),
            MODEL.step,
            N,
            temperature=temperature,
            pb_c_init=30.0,
            seed=(seed, 1),
        )
        for seed in range(40)
    ]
    actions = np.array([out.action for out in outs])
    weights = np.array([out.action_weights for out in outs])
    cold = [0, 2, 4]
    np.testing.assert_array_equal(
        np.take_along_axis(weights, actions[:, :, None], 2)[:, cold, 0], weights[:, cold].max(-1)
    )
    hot = actions[:, 1] != weights[:, 1].argmax(-1)
    assert hot.mean() > 0.4
    # However hot, an action without a visit is not played.
    assert (np.take_along_axis(weights, actions[:, :, None], 2) > 0).all()


def test_a_fraction_and_a_scale_of_noise_a_tree_are_those_of_their_trees():
    plain = search("native", dirichlet_fraction=0.0).search_tree
    noisy = search("native", dirichlet_fraction=tf.constant([0.0, 0.9, 0.0])).search_tree
    rows, other = plain.node_values.numpy(), noisy.node_values.numpy()
    np.testing.assert_array_equal(rows[[0, 2]], other[[0, 2]])
    assert (rows[1] != other[1]).any()
    gumbel = functools.partial(search, "native", policy=mcts.gumbel_muzero_policy)
    plain, noisy = gumbel(gumbel_scale=0.0), gumbel(gumbel_scale=tf.constant([0.0, 30.0, 0.0]))
    same = np.isclose(plain.search_tree.node_values, noisy.search_tree.node_values).all(-1)
    np.testing.assert_array_equal(same, [True, False, True])


BAD = {
    "temperature": (np.nan, -1.0, np.inf, "hot", [1.0, 2.0], [[1.0] * A] * B),
    "pb_c_base": (0, -1.0, np.nan, 1e-60, np.inf),
    "pb_c_init": (np.nan, -0.1, 1e300, None, np.zeros((B, 1)), 1j),
    "max_depth": (0, -1, 2.5, "deep", [1, 2], [1.0, 2.0, 3.0], [0, 1, 2]),
    "dirichlet_fraction": (-0.1, 1.1, np.nan, [0.5] * A),
    "dirichlet_alpha": (0.0, -1.0, np.nan, np.inf),
    "num_simulations": (2.5, -1, 2**24, "many", [1, 2]),
    "seed": ((1, 2, 3), 5, (0.5, 1.0)),
    "qtransform": ("none", 3, mcts.QTransform("none"), BOUNDS, functools.partial(MIXED, x=1)),
    "invalid_actions": (np.zeros((B, A + 1)), np.zeros(A), "none"),
}
BAD_TRANSFORMS = {
    "value_scale": (MIXED, (np.nan, np.inf, 1e300, np.zeros((2, 2)))),
    "maxvisit_init": (MIXED, (np.nan, "many")),
    "epsilon": (MIXED, (0.0, -1.0, np.nan, 1e-60)),
    "min_value": (functools.partial(BOUNDS, max_value=1.0), (1.0, 2.0, np.nan, [0.0, 2.0, 0.0])),
    "fpu_reduction": (functools.partial(BOUNDS, -1.0, 1.0), (-0.5, np.nan)),
}


def refused(name, backend, call):
    """The message of an error, which names the argument, on one line."""
    with pytest.raises(InvalidArgument, match=name) as caught:
        call(backend)
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("name, value", [(k, v) for k, vs in BAD.items() for v in vs])
def test_a_bad_number_is_named_alike_on_both_backends(name, value):
    kwargs = {"num_simulations": 2} | {name: value}
    root = MODEL.root(tf.range(B))

    def call(backend):
        mcts.muzero_policy(root, MODEL.step, backend=backend, **kwargs)

    assert refused(name, "native", call) == refused(name, "tensorflow", call)
    if name == "temperature":
        return
    host = mcts.RootFnOutput(root.prior_logits.numpy(), root.value.numpy(), None)
    refused(name, "native", lambda backend: mcts.Tree(host, backend=backend, **kwargs))


@pytest.mark.parametrize(
    "name, make, value", [(k, make, v) for k, (make, vs) in BAD_TRANSFORMS.items() for v in vs]
)
def test_a_bad_number_of_a_transform_is_named_alike_on_both_backends(name, make, value):
    def call(backend):
        search(backend, num_simulations=2, qtransform=make(**{name: value}))

    assert refused(name, "native", call) == refused(name, "tensorflow", call)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name, bad", [("pb_c_init", np.nan), ("pb_c_base", 0.0),
                                       ("temperature", np.nan), ("max_depth", 0)])  # fmt: skip
def test_what_is_not_known_before_it_runs_is_checked_then(name, bad, backend):
    run = tf.function(lambda number: search(backend, num_simulations=2, **{name: number}).action)
    with pytest.raises(InvalidArgument, match=name):
        run(tf.constant(bad))


def test_arguments_of_gumbel_are_named():
    for name, values in {
        "max_num_considered_actions": (0, -1, 2.5, "all"),
        "gumbel_scale": (np.nan, -1.0, [1.0, 2.0]),
        "gumbel": (np.full((B, A), np.nan), np.zeros((B, A + 1))),
    }.items():
        for value in values:
            with pytest.raises(InvalidArgument, match=name):
                search("native", policy=mcts.gumbel_muzero_policy, **{name: value})


def test_more_considered_actions_than_there_are_cost_nothing_and_change_nothing():
    gumbel = functools.partial(search, policy=mcts.gumbel_muzero_policy)
    for backend in BACKENDS:
        most = gumbel(backend, max_num_considered_actions=A)
        beyond = gumbel(backend, max_num_considered_actions=10**9)
        assert_same_tree(beyond.search_tree, most.search_tree)
        np.testing.assert_array_equal(beyond.action, most.action)
        few = gumbel(backend, num_simulations=2, max_num_considered_actions=A)
        assert few.search_tree.summary().visit_counts.numpy().max() == 1


@pytest.mark.parametrize("num_simulations", [1, 3, 10])
def test_more_actions_than_simulations_are_considered_alike(num_simulations):
    """Why a table needs no more rows than there are simulations."""
    table = seq_halving.table_of_considered_visits(num_simulations + 5, num_simulations)
    np.testing.assert_array_equal(table[num_simulations:], 0)
