"""The native ops (cc/) as functions of a SearchTree."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ops import loader
from ops.mcts.rules import SelectionRule
from ops.mcts.tree import NODE_FIELDS, SearchTree
from ops.mcts.types import RecurrentFnOutput, RootFnOutput


def tree_from_root(root: RootFnOutput, num_nodes: int) -> SearchTree:
    """As tree.tree_from_root, without touching the rows of nodes that are still to come."""
    leaves = tf.nest.flatten(root.embedding)
    nodes, edges, stats, embeddings = _ops().lookahead_mcts_root(
        prior_logits=root.prior_logits, value=root.value, rows=leaves, num_nodes=num_nodes
    )
    nodes = tf.ensure_shape(nodes, [root.value.shape[0], num_nodes, NODE_FIELDS])
    return SearchTree(nodes, edges, stats, tf.nest.pack_sequence_as(root.embedding, embeddings))


def simulate(tree: SearchTree, rule: SelectionRule) -> tuple[tf.Tensor, tf.Tensor]:
    """As mcts_reference.simulate."""
    return _ops().lookahead_mcts_simulate(
        nodes=tree.nodes, edges=tree.edges, stats=tree.stats, **_rule_arguments(rule)
    )


def expand(
    tree: SearchTree,
    parent: tf.Tensor,
    action: tf.Tensor,
    step: RecurrentFnOutput,
    embedding: Any,
) -> tuple[SearchTree, tf.Tensor]:
    """As mcts_reference.expand; in place where nobody else holds the tree."""
    nodes, edges, stats, embeddings, leaf = _ops().lookahead_mcts_expand(
        **_expand_arguments(tree, parent, action, step, embedding)
    )
    return SearchTree(nodes, edges, stats, _packed(tree, embeddings)), leaf


def backward(tree: SearchTree, leaf: tf.Tensor) -> SearchTree:
    """As mcts_reference.backward; in place where nobody else holds the tree."""
    nodes, edges, stats = _ops().lookahead_mcts_backward(
        nodes=tree.nodes, edges=tree.edges, stats=tree.stats, leaf=leaf
    )
    return SearchTree(nodes, edges, stats, tree.embeddings)


def step(
    tree: SearchTree,
    parent: tf.Tensor,
    action: tf.Tensor,
    step: RecurrentFnOutput,
    embedding: Any,
    rule: SelectionRule,
) -> tuple[SearchTree, tf.Tensor, tf.Tensor, Any]:
    """expand, backward and the next simulate in one op: tree, parent, action, the parent's
    embedding.
    """
    nodes, edges, stats, embeddings, parent, action, gathered = _ops().lookahead_mcts_step(
        **_expand_arguments(tree, parent, action, step, embedding), **_rule_arguments(rule)
    )
    tree = SearchTree(nodes, edges, stats, _packed(tree, embeddings))
    return tree, parent, action, _packed(tree, gathered)


def gather_nodes(embeddings: Any, node: tf.Tensor) -> Any:
    """The embeddings of one node a tree: nest of [B, M, ...] to nest of [B, ...]."""
    return tf.nest.map_structure(lambda e: tf.gather(e, node, axis=1, batch_dims=1), embeddings)


def _ops():
    return loader.load("mcts")


def _packed(tree, leaves):
    return tf.nest.pack_sequence_as(tree.embeddings, leaves)


def _expand_arguments(tree, parent, action, step, embedding):
    return dict(
        nodes=tree.nodes,
        edges=tree.edges,
        stats=tree.stats,
        embeddings=tf.nest.flatten(tree.embeddings),
        parent=parent,
        action=action,
        reward=step.reward,
        discount=step.discount,
        prior_logits=step.prior_logits,
        value=step.value,
        updates=tf.nest.flatten(embedding),
    )


def _rule_arguments(rule):
    noisy, parameters = rule.kind == "gumbel", rule.parameters()
    return dict(
        gumbel=[rule.gumbel] if noisy else [],
        considered=[rule.considered] if noisy else [],
        parameters=[] if parameters is None else [parameters],
        rule=rule.kind,
        first_outcome=rule.first_outcome,
        qtransform=rule.qtransform.kind,
        rescale_values=rule.qtransform.rescale_values,
        use_mixed_value=rule.qtransform.use_mixed_value,
        **rule.plain_numbers(),
    )
