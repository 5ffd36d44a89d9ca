"""A search that goes on in the tree of the last move: "the child node corresponding to the played
action becomes the new root node" (Silver et al. 2017, methods).
"""

from __future__ import annotations

import tensorflow as tf

from ops import mcts
from ops.mcts.search import whole_tree

Carried = dict[str, tf.Tensor]


def nothing(
    batch_size: int | tf.Tensor, num_actions: int, state_size: int, simulations: int
) -> Carried:
    """What is carried before the first move: trees without a node, of M = 2 N + 1 places."""
    nodes = 2 * simulations + 1
    return {
        "nodes": tf.zeros([batch_size, nodes, 8]),
        "edges": tf.zeros([batch_size, nodes, 6, num_actions]),
        "stats": tf.zeros([batch_size, 3]),
        "embeddings": tf.zeros([batch_size, nodes, state_size], tf.uint8),
    }


def carried(tree: mcts.SearchTree, action: tf.Tensor, simulations: int) -> Carried:
    """The part of a tree below `action` [B], with room for N = `simulations` more nodes."""
    return dict(mcts.reroot(tree, action, simulations)._asdict())


def taken_up(
    carried: Carried, root: mcts.RootFnOutput, simulations: int, backend: str
) -> mcts.SearchTree:
    """The carried trees where their root is the position of `root`, and fresh ones elsewhere."""
    fresh = whole_tree(root, 2 * simulations, backend)
    old = mcts.SearchTree(**carried)
    same = tf.reduce_all(old.embeddings[:, 0] == root.embedding, axis=1)
    same &= old.node_visits[:, 0] > 0
    # A row whose game is over waits for the others: nothing may be searched there.
    same &= tf.reduce_any(old.root_invalid_actions == 0, axis=1)

    def choose(ours: tf.Tensor, theirs: tf.Tensor) -> tf.Tensor:
        return tf.where(tf.reshape(same, [-1] + [1] * (ours.shape.rank - 1)), ours, theirs)

    return tf.nest.map_structure(choose, old, fresh)
