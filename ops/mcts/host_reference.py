"""A host-driven search without the native library: the twin's walks, the rest in NumPy.

The same steps as cc/kernels/in_flight.cc, tree by tree; slot = action, as the twin has it.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ops.mcts import mcts_reference
from ops.mcts import tree as t
from ops.mcts.errors import require
from ops.mcts.rules import SelectionRule
from ops.mcts.tree import SearchTree
from ops.mcts.types import RootFnOutput


class ReferenceForest:
    """As host_native.NativeForest."""

    def __init__(
        self,
        nodes: np.ndarray,
        edges: np.ndarray,
        stats: np.ndarray,
        rule: SelectionRule,
        virtual_loss: float,
    ):
        self.nodes, self.edges, self.stats = nodes, edges, stats
        self.through = np.zeros(nodes.shape[:2], np.float32)
        self._rule, self._virtual_loss = rule, np.float32(virtual_loss)

    @classmethod
    def planted(
        cls,
        prior_logits: np.ndarray,
        value: np.ndarray,
        num_nodes: int,
        rule: SelectionRule,
        virtual_loss: float,
    ) -> ReferenceForest:
        """Trees of their roots alone."""
        root = RootFnOutput(tf.constant(prior_logits), tf.constant(value), ())
        tree = t.tree_from_root(root, num_nodes)
        return cls(*(np.array(part) for part in tree[:3]), rule, virtual_loss)

    def depart(self, walks: int) -> np.ndarray:
        """Sends walks off: parent, action, leaf, int32 [3, B, walks]."""
        out = np.empty((3, self.nodes.shape[0], walks), np.int32)
        for i in range(walks):
            arrays = (self.nodes, self.edges, self.stats)
            tree = SearchTree(*map(tf.constant, arrays), ())
            parent, action = mcts_reference.simulate(tree, self._rule)
            out[0, :, i], out[1, :, i] = parent, action
            for b in range(self.nodes.shape[0]):
                out[2, b, i] = self._reserve(b, *out[:2, b, i])
                self._count(b, out[2, b, i], 1)
        return out

    def answer(
        self,
        leaf: np.ndarray,
        reward: np.ndarray,
        discount: np.ndarray,
        prior_logits: np.ndarray,
        value: np.ndarray,
    ) -> None:
        """Writes the model's answers into the leaves: [B, walks], prior_logits [B, walks, A]."""
        for name, given in (("reward", reward), ("discount", discount), ("value", value)):
            require(np.isfinite(given).all(), f"{name} is not finite")
        require((prior_logits < np.inf).all(), "prior_logits holds NaN or +inf")
        probs = t.prior_probabilities(tf.constant(prior_logits)).numpy()
        for b, i in np.ndindex(leaf.shape):
            said = (value[b, i], value[b, i], reward[b, i], discount[b, i])
            self._write(b, leaf[b, i], said, probs[b, i], prior_logits[b, i])

    def come_back(self, leaf: np.ndarray, value: np.ndarray) -> None:
        """Ends walks, carrying their values up to the roots: [B, walks]."""
        for b, i in np.ndindex(leaf.shape):
            self._count(b, leaf[b, i], -1)
            node, carried = leaf[b, i], value[b, i]
            while node != t.ROOT_INDEX:
                node, carried = self._back_up(b, node, carried)

    def _reserve(self, b: int, parent: int, action: int) -> int:
        """The node behind the edge; where there is none, one at which other walks end."""
        edge = self.edges[b, parent, :, action]
        node = self._index(self.stats[b, t.NEXT_NODE])
        self.stats[b, t.NEXT_NODE] += 1
        if edge[t.EDGE_CHILD] >= 0:
            return self._index(edge[t.EDGE_CHILD])
        num_actions = self.edges.shape[3]
        self.edges[b, node] = 0.0
        self.edges[b, node, t.EDGE_PROB] = -1.0
        self.edges[b, node, t.EDGE_ACTION] = np.arange(num_actions)
        self.edges[b, node, t.EDGE_CHILD] = t.UNVISITED
        # Where the tree was carried over without this node, its edge keeps its Q.
        kept = edge[t.EDGE_QVALUE]
        self.nodes[b, node] = (parent, 0, 0, 0, 0, kept, 0, t.UNKNOWN)
        self.nodes.view(np.int32)[b, node, t.PLACE] = action | num_actions << t.PLACE_BITS
        edge[t.EDGE_CHILD] = node
        return node

    def _index(self, number: np.float32) -> int:
        """A number out of a tree as the index of one of its nodes."""
        good = 0 <= number < self.nodes.shape[1]
        require(good, "nodes and edges do not make a tree")
        return int(number)

    def _parent(self, b: int, node: int) -> int:
        """The node above, which is older: a walk up comes to an end whatever a tree holds."""
        parent = self._index(self.nodes[b, node, t.PARENT])
        require(parent < node, "nodes and edges do not make a tree")
        return parent

    def _edge_into(self, b: int, node: int) -> np.ndarray:
        """The column of the edge into a node, a view."""
        slot = self.nodes.view(np.int32)[b, node, t.PLACE] & t.MAX_ACTIONS
        require(slot < self.edges.shape[3], "nodes and edges do not make a tree")
        return self.edges[b, self._parent(b, node), :, slot]

    def _blend(self, b: int, node: int) -> None:
        """The edge's Q with the walks in flight as visits that returned -virtual_loss."""
        edge, record, flying = self._edge_into(b, node), self.nodes[b, node], self.through[b, node]
        q = record[t.REWARD] + record[t.DISCOUNT] * record[t.VALUE]
        real = edge[t.EDGE_VISITS] - flying
        if flying > 0:
            q = (real * q - flying * self._virtual_loss) / (real + flying)
        edge[t.EDGE_QVALUE] = q

    def _count(self, b: int, leaf: int, change: int) -> None:
        """Counts one walk more, or one less, from the leaf up to the root."""
        node = int(leaf)
        while True:
            self.through[b, node] += change
            self.nodes[b, node, t.VISITS] += change
            if node == t.ROOT_INDEX:
                return
            self._edge_into(b, node)[t.EDGE_VISITS] += change
            self._blend(b, node)
            node = self._parent(b, node)

    def _write(self, b, leaf, said, probs, prior_logits) -> None:
        record = self.nodes[b, leaf]
        real = record[t.VISITS] - self.through[b, leaf]
        record[t.VISITS] += 1
        if real > 0:
            record[t.VALUE] += (said[0] - record[t.VALUE]) / (real + np.float32(1))
            return
        record[t.VALUE : t.NEXT] = said
        self.edges[b, leaf, t.EDGE_PROB] = probs
        self.edges[b, leaf, t.EDGE_LOGIT] = prior_logits

    def _back_up(self, b: int, node: int, value: np.float32) -> tuple[int, np.float32]:
        """One step of a backup as it is without the walks in flight: the parent, its return."""
        child, parent = self.nodes[b, node], self._parent(b, node)
        record, edge = self.nodes[b, parent], self._edge_into(b, node)
        value = child[t.REWARD] + child[t.DISCOUNT] * value
        count = record[t.VISITS] - self.through[b, parent]
        record[t.VALUE] = (record[t.VALUE] * count + value) / (count + np.float32(1))
        record[t.VISITS] += 1
        edge[t.EDGE_VISITS] += 1
        q = child[t.REWARD] + child[t.DISCOUNT] * child[t.VALUE]
        stats = self.stats[b]
        stats[t.MIN_QVALUE] = min(stats[t.MIN_QVALUE], q)
        stats[t.MAX_QVALUE] = max(stats[t.MAX_QVALUE], q)
        self._blend(b, node)
        return parent, value
