"""The search tree: two float32 tensors, a record a node and six rows of edges, with mctx's fields
as views.

Counts and indices are stored as float32, exact up to 2^24, so that one contiguous block holds all
that a selection reads; two fields of a node are the bits of an int32. An edge is a column of its
node's rows, called its slot; the native backend orders the slots so that the expanded edges stand
first (cc/kernels/tree.h says why), the twin keeps slot = action. What a node's rows hold before the
node is made, or past its expanded edges, is not defined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from ops.mcts.types import RootFnOutput, SearchSummary

ROOT_INDEX = 0
NO_PARENT = -1
UNVISITED = -1
MAX_NODES = 1 << 24
LOWEST_LOGIT = tf.float32.min  # as mctx masks; it and -inf both mean "illegal"

# Fields of a node, the last axis of `nodes`.
PARENT, PLACE, VISITS, VALUE, RAW_VALUE, REWARD, DISCOUNT, NEXT = range(8)
NODE_FIELDS = 8
PLACE_BITS = 16  # PLACE is slot | expanded << PLACE_BITS
MAX_ACTIONS = (1 << PLACE_BITS) - 1
UNKNOWN = 0.0  # NEXT as long as no search has worked it out
# Rows of a node's edges, the third axis of `edges`; selection by PUCT reads the first four.
EDGE_QVALUE, EDGE_VISITS, EDGE_PROB, EDGE_ACTION, EDGE_CHILD, EDGE_LOGIT = range(6)
EDGE_ROWS = 6
MISSING = (0.0, 0.0, -1.0, 0.0, -1.0, 0.0)  # of each row where it is not defined
# Entries of a tree's statistics, the last axis of `stats`.
NEXT_NODE, MIN_QVALUE, MAX_QVALUE = range(3)


class Node(NamedTuple):
    """mctx's fields at one node a tree: [B], of its children and Q [B, A]."""

    node_visits: tf.Tensor
    node_values: tf.Tensor
    raw_values: tf.Tensor
    qvalues: tf.Tensor
    children_index: tf.Tensor
    children_visits: tf.Tensor
    children_prior_logits: tf.Tensor


class AtNodes(NamedTuple):
    """What a choice reads of nodes, float32 [B, 1], and of their edges by action, [B, A]."""

    visits: tf.Tensor
    value: tf.Tensor
    raw_value: tf.Tensor
    qvalues: tf.Tensor
    edge_visits: tf.Tensor
    probs: tf.Tensor
    logits: tf.Tensor

    def actions(self, first: int, end: int | None = None) -> AtNodes:
        """The same nodes with these actions alone."""
        edges = (field[:, first:end] for field in self[3:])
        return AtNodes(*self[:3], *edges)


class SearchTree(NamedTuple):
    """A batch of search trees; a structure of tensors, so it passes through tf.function and
    checkpoints.

    nodes: float32 [B, M, 8], a record a node: parent, slot among the parent's edges and number of
      expanded edges (the bits of an int32), visits, value, raw value, reward, discount, and what
      the search that is running does next at the node (bits; cc/kernels/tree.h).
    edges: float32 [B, M, 6, A], rows of a node: Q, visits, prior probability (-1 where illegal),
      action, child, prior logit.
    stats: float32 [B, 3]: the index that the next new node gets, and the least and greatest Q(s, a)
      that a backup wrote in this tree (inf and -inf before the first).
    embeddings: nest of [B, M, ...]; zeros where a node was not made.
    """

    nodes: tf.Tensor
    edges: tf.Tensor
    stats: tf.Tensor
    embeddings: Any

    # mctx's class constants; an annotation would make them fields.
    ROOT_INDEX = ROOT_INDEX
    NO_PARENT = NO_PARENT
    UNVISITED = UNVISITED

    @property
    def num_nodes(self) -> int | tf.Tensor:
        """M, the number of nodes each tree has room for."""
        return self.nodes.shape[1] or tf.shape(self.nodes)[1]

    @property
    def num_actions(self) -> int | tf.Tensor:
        """A, the number of actions."""
        return self.edges.shape[3] or tf.shape(self.edges)[3]

    @property
    def num_simulations(self) -> int | tf.Tensor:
        """N, the number of simulations each tree has room for beside its root."""
        return self.num_nodes - 1

    def _node_field(self, field: int, dtype: tf.DType = tf.float32) -> tf.Tensor:
        return tf.cast(self.nodes[:, :, field], dtype)

    def _edge_row(self, row: int, missing: float) -> tf.Tensor:
        return edge_rows(self.nodes, self.edges, {row: missing})[0]

    def _of_children(self, field: int) -> tf.Tensor:
        child = self.children_index
        values = tf.gather(self.nodes[:, :, field], tf.maximum(child, 0), axis=1, batch_dims=1)
        return tf.where(child == UNVISITED, 0.0, values)

    @property
    def node_visits(self) -> tf.Tensor:
        """Visits of each node, its own evaluation among them: int32 [B, M]."""
        return self._node_field(VISITS, tf.int32)

    @property
    def node_values(self) -> tf.Tensor:
        """Mean return from each node: [B, M]."""
        return self._node_field(VALUE)

    @property
    def raw_values(self) -> tf.Tensor:
        """What the network said of each node: [B, M]."""
        return self._node_field(RAW_VALUE)

    @property
    def parents(self) -> tf.Tensor:
        """Index of each node's parent, NO_PARENT at the root: int32 [B, M]."""
        return tf.where(self.node_visits > 0, self._node_field(PARENT, tf.int32), NO_PARENT)

    @property
    def action_from_parent(self) -> tf.Tensor:
        """Action that leads from its parent to each node: int32 [B, M]."""
        parent = tf.maximum(self.parents, 0)
        slot = tf.minimum(slot_of(self.nodes), self.num_actions - 1)
        actions = tf.gather(self.edges[:, :, EDGE_ACTION], parent, axis=1, batch_dims=1)
        action = tf.cast(tf.gather(actions, slot, axis=2, batch_dims=2), tf.int32)
        return tf.where(self.parents == NO_PARENT, NO_PARENT, action)

    @property
    def children_index(self) -> tf.Tensor:
        """Node behind each edge, or UNVISITED: int32 [B, M, A]."""
        return tf.cast(self._edge_row(EDGE_CHILD, UNVISITED), tf.int32)

    @property
    def children_prior_logits(self) -> tf.Tensor:
        """Prior logits of each node's actions: [B, M, A]."""
        return self._edge_row(EDGE_LOGIT, 0.0)

    @property
    def children_visits(self) -> tf.Tensor:
        """How often each edge was taken: int32 [B, M, A]."""
        return tf.cast(self._edge_row(EDGE_VISITS, 0.0), tf.int32)

    @property
    def children_rewards(self) -> tf.Tensor:
        """Reward on each edge: [B, M, A]."""
        return self._of_children(REWARD)

    @property
    def children_discounts(self) -> tf.Tensor:
        """Discount on each edge: [B, M, A]."""
        return self._of_children(DISCOUNT)

    @property
    def children_values(self) -> tf.Tensor:
        """Value of the node behind each edge: [B, M, A]."""
        return self._of_children(VALUE)

    @property
    def root_invalid_actions(self) -> tf.Tensor:
        """1 where an action is not allowed at the root: [B, A]."""
        return tf.cast(self.root_rows(EDGE_PROB)[0] < 0, tf.float32)

    def qvalues(self, indices: tf.Tensor) -> tf.Tensor:
        """Q of the actions at one node a tree, 0 where unvisited: int32 [B] to [B, A]."""
        return self.at(indices).qvalues

    def at(self, node_index: tf.Tensor) -> Node:
        """The fields at one node a tree, at a cost that M has no part in: int32 [B]."""
        rows, record = self.node_rows(node_index)
        return Node(
            node_visits=tf.cast(record[:, VISITS], tf.int32),
            node_values=record[:, VALUE],
            raw_values=record[:, RAW_VALUE],
            qvalues=rows[:, EDGE_QVALUE],
            children_index=tf.cast(rows[:, EDGE_CHILD], tf.int32),
            children_visits=tf.cast(rows[:, EDGE_VISITS], tf.int32),
            children_prior_logits=rows[:, EDGE_LOGIT],
        )

    def node_rows(self, node_index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Edges by action and record of one node a tree: int32 [B] to [B, 6, A] and [B, 8]."""
        index = tf.broadcast_to(tf.cast(node_index, tf.int32), tf.shape(self.nodes)[:1])[:, None]
        node, edge = (tf.gather(x, index, axis=1, batch_dims=1) for x in (self.nodes, self.edges))
        rows = edge_rows(node, edge, dict(enumerate(MISSING)))
        return tf.concat(rows, axis=1), node[:, 0]

    def root_rows(self, *rows: int) -> list[tf.Tensor]:
        """Some of the root's rows of edges, by action, 0 where undefined: [B, A] each."""
        found = edge_rows(self.nodes[:, :1], self.edges[:, :1], dict.fromkeys(rows, 0.0))
        return [row[:, 0] for row in found]

    def summary(self) -> SearchSummary:
        """Visit counts, probabilities, value and Q-values of the root, all that is read.

        Counts are floats, as mctx's. A root whose actions were not visited has the probabilities of
        the uniform policy over those that are legal.
        """
        visits, probs, qvalues = self.root_rows(EDGE_VISITS, EDGE_PROB, EDGE_QVALUE)
        total = tf.reduce_sum(visits, axis=-1, keepdims=True)
        legal = tf.cast(probs >= 0, tf.float32)
        uniform = legal / tf.reduce_sum(legal, axis=-1, keepdims=True)
        return SearchSummary(
            visit_counts=visits,
            visit_probs=tf.where(total > 0, visits / tf.maximum(total, 1.0), uniform),
            value=self.nodes[:, ROOT_INDEX, VALUE],
            qvalues=qvalues,
        )


def at_nodes(rows: tf.Tensor, record: tf.Tensor) -> AtNodes:
    """What a choice reads, of edges by action [B, 6, A] and records [B, 8]."""
    of_node = (record[:, field, None] for field in (VISITS, VALUE, RAW_VALUE))
    of_edges = (rows[:, row] for row in (EDGE_QVALUE, EDGE_VISITS, EDGE_PROB, EDGE_LOGIT))
    return AtNodes(*of_node, *of_edges)


def slot_of(records: tf.Tensor) -> tf.Tensor:
    """Slot of the edge into each node: [..., 8] to int32 [...]."""
    return tf.bitcast(records[..., PLACE], tf.int32) & MAX_ACTIONS


def expanded_of(records: tf.Tensor) -> tf.Tensor:
    """Number of expanded edges of each node: [..., 8] to int32 [...]."""
    bits = tf.bitcast(records[..., PLACE], tf.int32)
    return tf.bitwise.right_shift(bits, PLACE_BITS) & MAX_ACTIONS


def place(slot: tf.Tensor, expanded: tf.Tensor) -> tf.Tensor:
    """The field PLACE of int32 slots and numbers of expanded edges."""
    return tf.bitcast(slot + expanded * (1 << PLACE_BITS), tf.float32)


def edge_rows(nodes: tf.Tensor, edges: tf.Tensor, rows: Mapping[int, float]) -> list[tf.Tensor]:
    """Rows of every node's edges in the order of the actions: [B, M, A] each.

    Args:
      nodes, edges: of the trees, [B, M, 8] and [B, M, 6, A].
      rows: which, each with what stands where it is undefined.
    """
    num_actions = tf.shape(edges)[3]
    slot = tf.range(num_actions, dtype=tf.float32)
    made = nodes[:, :, VISITS, None] > 0
    action = tf.where(made, edges[:, :, EDGE_ACTION], slot)
    order = tf.argsort(action, stable=True)

    def in_order(row, missing):
        known = made
        if row not in (EDGE_PROB, EDGE_ACTION, EDGE_LOGIT):  # These are known of all edges.
            known &= slot < tf.cast(expanded_of(nodes), tf.float32)[:, :, None]
        values = tf.where(known, edges[:, :, row], missing)
        return tf.gather(values, order, axis=2, batch_dims=2)

    return [in_order(row, missing) for row, missing in rows.items()]


def prior_probabilities(prior_logits: tf.Tensor) -> tf.Tensor:
    """Softmax over the legal actions, -1 where the logit is -inf or float32's lowest: [..., A]."""
    legal = prior_logits > LOWEST_LOGIT
    logits = tf.where(legal, prior_logits, LOWEST_LOGIT)
    shifted = logits - tf.reduce_max(logits, axis=-1, keepdims=True)
    weights = tf.where(legal, tf.exp(shifted), 0.0)
    total = tf.reduce_sum(weights, axis=-1, keepdims=True)
    return tf.where(legal, weights / total, -1.0)


def fresh_rows(prior_logits: tf.Tensor) -> tf.Tensor:
    """The edges of a node without children, slot = action: [B, A] to [B, 6, A]."""
    zeros = tf.zeros_like(prior_logits)
    actions = zeros + tf.range(tf.shape(zeros)[1], dtype=tf.float32)
    probs = prior_probabilities(prior_logits)
    return tf.stack([zeros, zeros, probs, actions, zeros + UNVISITED, prior_logits], axis=1)


def with_prior(rows: tf.Tensor, prior_logits: tf.Tensor) -> tf.Tensor:
    """The same edges, slot = action, with another prior: [B, 6, A]."""
    probs = prior_probabilities(prior_logits)
    kept = rows[:, EDGE_ACTION : EDGE_CHILD + 1]
    logits = prior_logits[:, None]
    return tf.concat([rows[:, :EDGE_PROB], probs[:, None], kept, logits], axis=1)


def without_unmade(tree: SearchTree) -> SearchTree:
    """The tree with zeros as embeddings of the nodes that no simulation was left to make.

    A graph in which nobody reads them does not work this out.
    """
    made = tree.node_visits > 0

    def cleared(whole):
        mask = tf.reshape(made, tf.concat([tf.shape(made), [1] * (whole.shape.rank - 2)], axis=0))
        return tf.where(mask, whole, tf.zeros([], whole.dtype))

    return tree._replace(embeddings=tf.nest.map_structure(cleared, tree.embeddings))


def root_record(value: tf.Tensor, num_actions: int) -> tf.Tensor:
    """The record of a root visited once: [B] to [B, 8]."""
    zero, one = tf.zeros_like(value), tf.ones_like(value)
    root = tf.zeros(tf.shape(value), tf.int32)
    fields = [-one, place(root, root + num_actions), one, value, value, zero, zero, zero]
    return tf.stack(fields, axis=-1)


def first_row(rows: tf.Tensor, num_nodes: int) -> tf.Tensor:
    """Zeros [B, num_nodes, ...] with `rows` [B, ...] as its first entry along axis 1."""
    rest = tf.concat([tf.shape(rows)[:1], [num_nodes - 1], tf.shape(rows)[1:]], axis=0)
    whole = tf.concat([rows[:, None], tf.zeros(rest, rows.dtype)], axis=1)
    return tf.ensure_shape(whole, [rows.shape[0], num_nodes, *rows.shape[1:]])


def fresh_stats(value: tf.Tensor) -> tf.Tensor:
    """Statistics of a tree that holds only its root: [B] to [B, 3]."""
    one, inf = tf.ones_like(value), tf.fill(tf.shape(value), float("inf"))
    return tf.stack([one, inf, -inf], axis=-1)


def tree_from_root(root: RootFnOutput, num_nodes: int) -> SearchTree:
    """A tree with its root evaluated and room for `num_nodes` nodes; illegal logits are masked
    already.
    """
    return SearchTree(
        nodes=first_row(root_record(root.value, tf.shape(root.prior_logits)[1]), num_nodes),
        edges=first_row(fresh_rows(root.prior_logits), num_nodes),
        stats=fresh_stats(root.value),
        embeddings=tf.nest.map_structure(lambda e: first_row(e, num_nodes), root.embedding),
    )
