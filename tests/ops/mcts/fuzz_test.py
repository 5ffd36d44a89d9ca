"""Protects the process: whatever shape or value reaches an op, it answers or says what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from ops import loader, mcts
from ops.mcts import native
from ops.mcts.rules import SelectionRule
from tests.ops.mcts.models import TableModel, assert_same_tree, random_tables

InvalidArgument = tf.errors.InvalidArgumentError
BACKENDS = ("native", "tensorflow")
B, M, A = 2, 5, 3
SHAPES = {
    "nodes": (B, M, 8),
    "edges": (B, M, 6, A),
    "stats": (B, 3),
    "parent": (B,),
    "action": (B,),
    "leaf": (B,),
    "reward": (B,),
    "discount": (B,),
    "prior_logits": (B, A),
    "value": (B,),
    "embeddings": (B, M, 2),
    "updates": (B, 2),
    "parameters": (B, 9),
}
INTEGERS = ("parent", "action", "leaf")
TREE = ("nodes", "edges", "stats")
SAID = ("embeddings", "parent", "action", "reward", "discount", "prior_logits", "value", "updates")
POOL = np.array([-1, 0, 1, 2, 3, 0.5, 1e9, -1e9, np.nan, np.inf, -np.inf], np.float32)
RULES = (
    SelectionRule("puct", mcts.qtransform_by_parent_and_siblings()),
    SelectionRule("puct", mcts.qtransform_by_tree_min_max(), 3),
    SelectionRule(
        "gumbel",
        mcts.qtransform_completed_by_mix_value(),
        gumbel=np.zeros((B, A), np.float32),
        considered=np.zeros((2, 4), np.float32),
    ),
    SelectionRule("stochastic", mcts.qtransform_by_parent_and_siblings(), first_outcome=2),
    SelectionRule("puct", mcts.qtransform_by_min_max(0.0, 1.0), tf.constant([1, 2])),
)


def call(op, values, rule):
    """One of the ops of cc/ops/mcts_ops.cc on arrays by name."""
    given = values | {key: [values[key]] for key in ("embeddings", "updates")}
    settings = native._rule_arguments(rule)
    if settings["parameters"]:
        settings["parameters"] = [values["parameters"]]
    ops = loader.load("mcts")
    if op == "root":
        inputs = {key: given[key] for key in ("prior_logits", "value")}
        return ops.lookahead_mcts_root(rows=given["updates"], num_nodes=M, **inputs)
    names = {
        "simulate": TREE,
        "expand": (*TREE, *SAID),
        "backward": (*TREE, "leaf"),
        "step": (*TREE, *SAID),
    }[op]
    settings = settings if op in ("simulate", "step") else {}
    inputs = {key: given[key] for key in names}
    return getattr(ops, f"lookahead_mcts_{op}")(**inputs, **settings)


def garbage(rng):
    bits = np.array([0, 1, 2, 65536, 65537, 131074, 196608, -1], np.int32).view(np.float32)
    values = {}
    for name, shape in SHAPES.items():
        integers = rng.integers(-2, M + 2, shape).astype(np.int32)
        values[name] = integers if name in INTEGERS else rng.choice(POOL, shape)
    values["nodes"][..., [1, 7]] = rng.choice(bits, (B, M, 2))
    return values


@pytest.mark.parametrize("op", ["root", "simulate", "expand", "backward", "step"])
def test_garbage_ends_in_an_answer_or_an_error(op):
    seed = 17
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for trial in range(150):
        try:
            call(op, garbage(rng), RULES[trial % len(RULES)])
        except InvalidArgument as error:
            assert "element" in error.message


@pytest.mark.parametrize("op", ["root", "simulate", "expand", "backward", "step"])
def test_a_wrong_shape_names_an_argument(op):
    seed = 18
    print("seed", seed)
    rng = np.random.default_rng(seed)
    used = {
        "root": ("prior_logits", "value", "updates"),
        "simulate": (*TREE, "parameters"),
        "expand": (*TREE, *SAID),
        "backward": (*TREE, "leaf"),
        "step": (*TREE, *SAID, "parameters"),
    }[op]
    for trial in range(80):
        values, name = garbage(rng), used[trial % len(used)]
        shape = list(SHAPES[name])
        if rng.random() < 0.3:
            shape = shape[:-1] if rng.random() < 0.5 else [*shape, 1]
        else:
            axis = rng.integers(len(shape))
            shape[axis] = max(shape[axis] + rng.choice([-1, 1, 5]), 0)
        values[name] = np.zeros(shape, values[name].dtype)
        try:
            call(op, values, RULES[trial % len(RULES)])
        except InvalidArgument as error:
            named = (*used, "rows", "gumbel", "parameters", "element", "room", "Shape must be rank")
            assert any(word in error.message for word in named), error.message


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("field", ["prior_logits", "value"])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_root_that_is_not_finite_is_named(backend, field, poison):
    model = TableModel(random_tables(seed=0, num_states=20, num_actions=3))
    root = model.root(tf.constant([0, 1]))
    bad = tf.where(tf.range(getattr(root, field).shape[-1]) == 1, poison, getattr(root, field))
    with pytest.raises(InvalidArgument, match=field):
        mcts.muzero_policy(root._replace(**{field: bad}), model.step, 4, backend=backend)


@pytest.mark.parametrize("policy", [mcts.muzero_policy, mcts.alphazero_policy,
                                    mcts.gumbel_muzero_policy])  # fmt: skip
@pytest.mark.parametrize("backend", BACKENDS)
def test_no_legal_action_and_fewer_simulations_than_none_are_named(backend, policy):
    model = TableModel(random_tables(seed=0, num_states=20, num_actions=3))
    root = model.root(tf.constant([0, 1]))
    with pytest.raises(InvalidArgument, match="legal"):
        policy(root, model.step, 4, np.array([[0, 0, 0], [1, 1, 1]]), backend=backend)
    none = root._replace(prior_logits=tf.fill([2, 3], -np.inf))
    with pytest.raises(InvalidArgument, match="legal"):
        policy(none, model.step, 4, backend=backend)
    with pytest.raises(InvalidArgument, match="num_simulations"):
        policy(root, model.step, -3, backend=backend)


def searched(backend, num_simulations=16):
    tables = random_tables(seed=9, num_states=50, num_actions=4, discounts=(0.5, 0.9, -1.0))
    model = TableModel(tables)
    kwargs = dict(dirichlet_fraction=0.0, seed=(0, 1), backend=backend)
    run = tf.function(lambda: mcts.muzero_policy(
        model.root(tf.constant([0, 1, 2])), model.step, num_simulations, **kwargs
    ))  # fmt: skip
    return model, kwargs, run().search_tree


def test_a_tree_carried_over_in_part_is_equal_on_both_backends():
    """Fewer nodes are kept than there are: the newest are dropped, and made again."""
    later = []
    for backend in BACKENDS:
        model, kwargs, tree = searched(backend)
        action = tf.argmax(tree.summary().visit_counts, axis=-1, output_type=tf.int32)
        kept = mcts.reroot(tree, action, num_simulations=8, max_kept=4)
        np.testing.assert_array_equal(kept.stats[:, 0], 4)
        again = tf.function(
            lambda model=model, kept=kept, kwargs=kwargs: mcts.muzero_policy(
                None, model.step, 8, search_tree=kept, **kwargs
            )
        )
        later.append(again().search_tree)
    assert_same_tree(*later)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tree_cannot_be_carried_over_to_an_action_it_has_not_taken(backend):
    _, _, tree = searched(backend, num_simulations=2)
    untaken = tf.argmin(tree.summary().visit_counts, axis=-1, output_type=tf.int32)
    for action in (untaken, tf.constant([-1, 0, 0]), tf.constant([0, 4, 0])):
        with pytest.raises(InvalidArgument, match="action was not visited"):
            mcts.reroot(tree, action, 4)
    with pytest.raises(InvalidArgument, match="action has shape"):
        mcts.reroot(tree, tf.constant([0, 0]), 4)
