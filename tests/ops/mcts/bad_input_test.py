"""Protects the user: bad input ends in an error that names the argument, never in a crash."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import loader, mcts
from tests.ops.mcts.models import TableModel, random_tables

InvalidArgument = tf.errors.InvalidArgumentError


def search(model=None, backend="native", num_simulations=8, **kwargs):
    model = model or TableModel(random_tables(seed=0, num_states=20, num_actions=3))
    root = model.root(tf.constant([0, 1]))
    return mcts.muzero_policy(
        root, model.step, num_simulations, seed=(0, 1), backend=backend, **kwargs
    )


@pytest.mark.parametrize("kwargs, name", [
    (dict(num_simulations=-1), "num_simulations"),
    (dict(max_depth=0), "max_depth"),
    (dict(backend="cuda"), "backend"),
    (dict(invalid_actions=np.ones((2, 4))), "invalid_actions"),
    (dict(invalid_actions=np.ones((2, 3))), "legal"),
    (dict(dirichlet_noise=np.ones((3, 3), np.float32)), "dirichlet_noise"),
])  # fmt: skip
def test_bad_arguments_are_named(kwargs, name):
    with pytest.raises(InvalidArgument, match=name):
        search(**kwargs)


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize("field", ["reward", "discount", "prior_logits", "value"])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_model_that_is_not_finite_is_named(backend, field, poison):
    tables = random_tables(seed=0, num_states=20, num_actions=3)
    tables[field][2:] = poison
    tables["next_state"][:] = 5
    tables["reward"][:2] = tables["discount"][:2] = 1.0
    if field in ("reward", "discount"):
        tables[field][:] = poison
    with pytest.raises(InvalidArgument, match=field):
        search(TableModel(tables), backend)


def test_garbage_trees_end_in_an_error_or_an_answer():
    ops, seed = loader.load("mcts"), 7
    print("seed", seed)
    rng = np.random.default_rng(seed)
    rule = dict(
        gumbel=[tf.zeros([2, 3])], considered=[tf.zeros([2, 4])], max_depth=100, pb_c_init=1.25,
        pb_c_base=19652.0, min_value=0.0, max_value=1.0, fpu_reduction=-1.0, value_scale=0.1,
        maxvisit_init=50.0, rescale_values=True, use_mixed_value=True, epsilon=1e-8, parameters=[],
    )  # fmt: skip
    pool = np.array([-1, 0, 1, 2, 3, 4, 0.5, 1e9, -1e9, np.nan, np.inf, -np.inf], np.float32)
    answers = 0
    for trial in range(300):
        nodes, edges, stats = (rng.choice(pool, s) for s in ((2, 5, 8), (2, 5, 6, 3), (2, 3)))
        kind = ("puct", "gumbel")[trial % 2]
        try:
            parent, action = ops.lookahead_mcts_simulate(
                nodes, edges, stats, rule=kind, qtransform="parent_and_siblings", **rule
            )
            assert ((parent >= 0) & (parent < 5) & (action >= 0) & (action < 3)).numpy().all()
            answers += 1
        except InvalidArgument as error:
            assert "element" in error.message
        try:
            ops.lookahead_mcts_backward(nodes, edges, stats, rng.integers(-2, 7, 2, np.int32))
            answers += 1
        except InvalidArgument as error:
            assert "element" in error.message
    assert answers > 0


@pytest.mark.parametrize("nodes, edges, stats, name", [
    ((2, 5), (2, 5, 6, 3), (2, 3), "nodes"),
    ((2, 5, 7), (2, 5, 6, 3), (2, 3), "nodes"),
    ((2, 5, 8), (2, 4, 6, 3), (2, 3), "edges"),
    ((2, 5, 8), (2, 5, 6, 0), (2, 3), "edges"),
    ((2, 5, 8), (2, 5, 6, 3), (3, 3), "stats"),
    ((2, 0, 8), (2, 0, 6, 3), (2, 3), "nodes"),
])  # fmt: skip
def test_shapes_that_make_no_tree_are_named(nodes, edges, stats, name):
    with pytest.raises(InvalidArgument, match=name):
        loader.load("mcts").lookahead_mcts_backward(
            np.zeros(nodes, np.float32), np.zeros(edges, np.float32),
            np.zeros(stats, np.float32), np.zeros(2, np.int32),
        )  # fmt: skip
