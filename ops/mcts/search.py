"""The search loop: simulate, ask the model, expand, backward; once for each simulation, on either
backend.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ops import loader
from ops.mcts import backends, checks, mcts_reference, native
from ops.mcts import tree as t
from ops.mcts.compiled_search import CompiledSearch
from ops.mcts.errors import require
from ops.mcts.plain_search import PlainSearch
from ops.mcts.planned_search import PlannedSearch
from ops.mcts.rules import SelectionRule
from ops.mcts.tree import SearchTree
from ops.mcts.types import RecurrentFnOutput, RootFnOutput, Visited

# (action [B], embedding), and `seed` int32 [2] and `visited` if it has arguments of these names.
RecurrentFn = Callable[..., tuple[RecurrentFnOutput, Any]]


def start(
    root: RootFnOutput, rule: SelectionRule, num_simulations: int, backend: str
) -> SearchTree:
    """What `search` begins with: a tree that holds only its root, with room for the simulations."""
    if backends.resolve(backend) != "native" and num_simulations and _form(rule) is PlainSearch:
        # The search makes the room for embeddings, often the most of a tree.
        tree = t.tree_from_root(root._replace(embedding=()), num_simulations + 1)
        embeddings = tf.nest.map_structure(lambda e: e[:, None], root.embedding)
        return tree._replace(embeddings=embeddings)
    return whole_tree(root, num_simulations, backend)


def whole_tree(root: RootFnOutput, num_simulations: int, backend: str) -> SearchTree:
    """A tree that holds only its root, all room there: for the simulations and their embeddings."""
    module = native if backends.resolve(backend) == "native" else t
    return module.tree_from_root(root, num_simulations + 1)


def search(
    tree: SearchTree,
    recurrent_fn: RecurrentFn,
    rule: SelectionRule,
    num_simulations: int | tf.Tensor,
    backend: str,
    seed: tf.Tensor,
) -> SearchTree:
    """Adds `num_simulations` simulations to a batch of trees; `seed` int32 [2] is the model's.

    Wrap the caller in tf.function: only there is the native backend's tree updated in place.
    """
    if not tf.is_tensor(num_simulations) and num_simulations == 0:
        return tree
    if backends.resolve(backend) == "native":
        return _search_native(tree, recurrent_fn, rule, num_simulations, seed)
    if form := _form(rule):
        return _search_planned(form(tree, rule), tree, recurrent_fn, num_simulations, seed)
    return _search_reference(tree, recurrent_fn, rule, num_simulations, seed)


def model_alone(
    root: RootFnOutput,
    recurrent_fn: RecurrentFn,
    num_simulations: int,
    legal: tf.Tensor | None = None,
) -> tf.Tensor:
    """Asks the model for as many steps as a search, in the search's own kind of loop: numbers [B].

    What a search takes beyond this is the tree's. All steps are from the roots, by turns by two
    actions, of those that are `legal` [B, A] if it is given.
    """
    legal = tf.fill(tf.shape(root.prior_logits), True) if legal is None else legal
    number = tf.range(1, tf.shape(legal)[1] + 1)
    first = tf.argmax(tf.cast(legal, tf.int32), axis=1, output_type=tf.int32)
    last = tf.argmax(tf.where(legal, number, 0), axis=1, output_type=tf.int32)

    def simulate(i, embedding, total):
        step, _ = recurrent_fn(tf.where(i % 2 == 0, first, last), embedding)
        logit = tf.maximum(step.prior_logits[:, 0], t.LOWEST_LOGIT)
        return i + 1, embedding, total + step.reward * step.discount + step.value + logit

    return tf.while_loop(
        lambda *_: True,
        simulate,
        (tf.constant(0), root.embedding, tf.zeros_like(root.value)),
        parallel_iterations=1,
        maximum_iterations=num_simulations,
    )[2]


def _search_native(tree, recurrent_fn, rule, num_simulations, seed):
    """One fused op a simulation: expand and backward, then the next walk down, tree by tree."""
    parent, action = native.simulate(tree, rule)
    embedding = native.gather_nodes(tree.embeddings, parent)

    def body(seeds, tree, parent, action, embedding):
        parent, action = _integers(parent), _integers(action)
        visited = functools.partial(_visited, tree, parent, action)
        step, embedding = _ask(recurrent_fn, tree, action, embedding, seeds, visited)
        tree, parent, action, embedding = native.step(tree, parent, action, step, embedding, rule)
        return tree, _carried(parent), _carried(action), embedding

    state = (tree, _carried(parent), _carried(action), embedding)
    tree = _loop(body, state, num_simulations, _seed_of(recurrent_fn, seed))[0]
    if tf.is_tensor(num_simulations):
        tree = t.without_unmade(tree)
    return checks.without_fault(tree) if loader.has_gpu() else tree


def _form(rule) -> type[PlannedSearch] | None:
    """The form of the twin that plans, for XLA or for TensorFlow's executor; None: it does not."""
    if loader.compiling():
        return CompiledSearch if CompiledSearch.serves(rule) else None
    return PlainSearch if not loader.has_gpu() and PlainSearch.serves(rule) else None


def _search_planned(planned, tree, recurrent_fn, num_simulations, seed):
    """The twin where it plans."""

    def body(seeds, tables):
        walk, embedding = planned.simulate(tables)
        visited = functools.partial(planned.visited, tables, walk)
        step, embedding = _ask(recurrent_fn, tree, walk.action, embedding, seeds, visited)
        return (planned.learn(tables, walk, checks.finite_step(step), embedding),)

    state = (planned.start(),)
    return planned.finish(_loop(body, state, num_simulations, _seed_of(recurrent_fn, seed))[0])


def _search_reference(tree, recurrent_fn, rule, num_simulations, seed):
    in_place = not loader.compiling()  # XLA finds out by itself what it need not copy.
    if in_place:
        tree = mcts_reference.own(tree)

    def body(seeds, tree):
        parent, action = mcts_reference.simulate(tree, rule)
        embedding = native.gather_nodes(tree.embeddings, parent)
        visited = functools.partial(_visited, tree, parent, action)
        step, embedding = _ask(recurrent_fn, tree, action, embedding, seeds, visited)
        tree, leaf = mcts_reference.expand(
            tree, parent, action, checks.finite_step(step), embedding, in_place
        )
        return (mcts_reference.backward(tree, leaf, in_place),)

    return _loop(body, (tree,), num_simulations, _seed_of(recurrent_fn, seed))[0]


def _ask(recurrent_fn, tree, action, embedding, seeds, visited):
    """The model's answer, checked; `seeds` holds the simulation's seed if the model takes one, and
    `visited()` is what the tree knows of the nodes that the walks come to.
    """
    told = {"visited": visited()} if _takes(recurrent_fn, "visited") else {}
    answer = recurrent_fn(action, embedding, **seeds, **told)
    good = isinstance(answer, tuple) and len(answer) == 2
    require(good, "recurrent_fn must give (RecurrentFnOutput, embedding)")
    step, embedding = answer
    step = checks.step_of_model(step, tree)
    with tf.control_dependencies(tf.nest.flatten(told)):  # Trees are written to in place.
        step = step._replace(value=tf.identity(step.value))
    return step, checks.embedding_of_model(embedding, tree)


def _visited(tree, parent, action):
    """What the tree knows of the nodes behind (parent, action), [B] each."""
    child = tf.gather(tree.at(parent).children_index, action, axis=1, batch_dims=1)
    record = tf.gather(tree.nodes, tf.maximum(child, 0), axis=1, batch_dims=1)
    fields = (tf.where(child >= 0, record[:, field], 0.0) for field in (t.VISITS, t.VALUE))
    return Visited(*fields)


def _seed_of(recurrent_fn, seed):
    """`seed`, or None where the model does not take one."""
    return seed if _takes(recurrent_fn, "seed") else None


def _takes(recurrent_fn, name):
    """Whether the model has an argument of that name, and has given it no value."""
    try:
        parameter = inspect.signature(recurrent_fn).parameters.get(name)
    except (TypeError, ValueError):  # what is not written in Python may have no signature
        return False
    return parameter is not None and parameter.default in (inspect.Parameter.empty, None)


def _carried(integers: tf.Tensor) -> tf.Tensor:
    """Their bits: beside a GPU a loop keeps int32, but not float32, on the host."""
    return tf.bitcast(integers, tf.float32)


def _integers(carried: tf.Tensor) -> tf.Tensor:
    return tf.bitcast(carried, tf.int32)


def _loop(body, state, num_simulations, seed):
    """Runs `body(seeds, *state)` once a simulation.

    Without a seed TensorFlow counts: a counter of our own would be one more tensor to hand on.
    """
    options = dict(parallel_iterations=1, maximum_iterations=num_simulations)
    if seed is None:
        return tf.while_loop(lambda *_: True, lambda *s: body({}, *s), state, **options)

    def counting(i, *state):
        seeds = {"seed": tf.random.experimental.stateless_fold_in(seed, i)}
        return (i + 1, *body(seeds, *state))

    return tf.while_loop(lambda *_: True, counting, (tf.constant(0), *state), **options)[1:]
