"""The plain search writes to its trees in place, and to nobody else's."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ops import mcts

B, A, N = 3, 4, 12


def model(action, embedding):
    value = tf.reduce_mean(embedding, axis=1)
    step = mcts.RecurrentFnOutput(value, tf.fill([B], 0.9), embedding[:, :A], tf.tanh(value))
    return step, embedding * 0.9 + 0.1 * tf.cast(action, tf.float32)[:, None]


def searched(root, tree=None):
    return mcts.muzero_policy(
        root,
        model,
        N,
        dirichlet_fraction=0.0,
        seed=tf.constant([1, 2]),
        backend="tensorflow",
        search_tree=tree,
    )


def root():
    embedding = tf.random.stateless_normal([B, 6], [3, 4])
    return mcts.RootFnOutput(embedding[:, :A], tf.zeros([B]), embedding)


def test_searches_share_no_buffer():
    search = tf.function(lambda: searched(root()))
    first = search()
    kept = [x.numpy() for x in tf.nest.flatten(first)]
    again = search()
    for before, now, other in zip(
        kept, tf.nest.flatten(first), tf.nest.flatten(again), strict=True
    ):
        np.testing.assert_array_equal(before, now)
        np.testing.assert_array_equal(before, other)


def test_a_tree_that_is_gone_on_with_stays_as_it_was():
    found = tf.function(lambda: searched(root()))()
    tree = mcts.reroot(found.search_tree, found.action, N)
    kept = [x.numpy() for x in tf.nest.flatten(tree)]
    for search in (searched, tf.function(searched)):
        grown = search(None, tree)
        for before, now in zip(kept, tf.nest.flatten(tree), strict=True):
            np.testing.assert_array_equal(before, now)
        more = grown.search_tree.node_visits[:, 0] - tree.node_visits[:, 0]
        np.testing.assert_array_equal(more, [N] * B)
