"""The search loop: simulate, ask the model, expand, backward; once for each simulation, on either
backend.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ops import loader
from ops.mcts import backends, checks, mcts_reference, native
from ops.mcts import tree as t
from ops.mcts.rules import SelectionRule
from ops.mcts.tree import SearchTree
from ops.mcts.types import RecurrentFnOutput, RootFnOutput

RecurrentFn = Callable[[tf.Tensor, Any], tuple[RecurrentFnOutput, Any]]


def start(root: RootFnOutput, num_simulations: int, backend: str) -> SearchTree:
    """A tree that holds only its root, with room for the simulations."""
    if backends.resolve(backend) == "native":
        return native.tree_from_root(root, num_simulations + 1)
    return t.tree_from_root(root, num_simulations + 1)


def search(
    tree: SearchTree,
    recurrent_fn: RecurrentFn,
    rule: SelectionRule,
    num_simulations: int,
    backend: str = "auto",
) -> SearchTree:
    """Adds `num_simulations` simulations to a batch of trees.

    Wrap the caller in tf.function: only there is the native backend's tree updated in place.
    """
    if backends.resolve(backend) == "native":
        return _search_native(tree, recurrent_fn, rule, num_simulations)
    return _search_reference(tree, recurrent_fn, rule, num_simulations)


def _search_native(tree, recurrent_fn, rule, num_simulations):
    """One fused op a simulation: expand and backward, then the next walk down, tree by tree."""
    parent, action = native.simulate(tree, rule)
    embedding = native.gather_nodes(tree.embeddings, parent)

    def body(tree, parent, action, embedding):
        step, embedding = recurrent_fn(action, embedding)
        step = checks.step_of_model(step, tree)
        return native.step(tree, parent, action, step, embedding, rule)

    tree = _loop(body, (tree, parent, action, embedding), num_simulations)[0]
    return checks.without_fault(tree) if loader.has_gpu() else tree


def _search_reference(tree, recurrent_fn, rule, num_simulations):
    def body(tree):
        parent, action = mcts_reference.simulate(tree, rule)
        embedding = native.gather_nodes(tree.embeddings, parent)
        step, embedding = recurrent_fn(action, embedding)
        step = checks.finite_step(checks.step_of_model(step, tree))
        tree, leaf = mcts_reference.expand(tree, parent, action, step, embedding)
        return (mcts_reference.backward(tree, leaf),)

    return _loop(body, (tree,), num_simulations)[0]


def _loop(body, state, num_simulations):
    """TensorFlow counts: a counter of our own would be one more tensor to hand on."""
    return tf.while_loop(
        lambda *_: True, body, state, parallel_iterations=1, maximum_iterations=num_simulations
    )
