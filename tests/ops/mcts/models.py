"""Tabular models, whose searches are cheap and whose values are known."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from ops import mcts

FIELDS = (
    "node_visits",
    "parents",
    "action_from_parent",
    "children_index",
    "children_visits",
    "node_values",
    "raw_values",
    "children_values",
    "children_rewards",
    "children_discounts",
    "children_prior_logits",
)


class TableModel:
    """Transitions from tables: next_state, reward, discount, prior_logits [S, A], value [S]."""

    def __init__(self, tables):
        keys = ("next_state", "reward", "discount", "prior_logits", "value")
        self.tables = {key: tf.constant(tables[key]) for key in keys}

    def root(self, states):
        logits, value = self.tables["prior_logits"], self.tables["value"]
        return mcts.RootFnOutput(tf.gather(logits, states), tf.gather(value, states), states)

    def step(self, action, states):
        at = tf.stack([states, action], axis=-1)
        after = tf.gather_nd(self.tables["next_state"], at)
        step = mcts.RecurrentFnOutput(
            reward=tf.gather_nd(self.tables["reward"], at),
            discount=tf.gather_nd(self.tables["discount"], at),
            prior_logits=tf.gather(self.tables["prior_logits"], after),
            value=tf.gather(self.tables["value"], after),
        )
        return step, after


class HostModel:
    """A table model as a game on the host: the state of each node, and NumPy answers."""

    def __init__(self, tables, root_states, num_nodes):
        self.tables = tables
        self.states = np.zeros((len(root_states), num_nodes), np.int32)
        self.states[:, 0] = root_states

    def root(self):
        at = self.states[:, 0]
        return mcts.RootFnOutput(self.tables["prior_logits"][at], self.tables["value"][at], None)

    def answer(self, parent, action):
        rows = np.arange(len(self.states)).reshape(-1, *[1] * (parent.ndim - 1))
        before = self.states[rows, parent]
        after = self.tables["next_state"][before, action]
        reward, discount = (self.tables[key][before, action] for key in ("reward", "discount"))
        return after, (
            reward,
            discount,
            *(self.tables[k][after] for k in ("prior_logits", "value")),
        )

    def store(self, node, after):
        rows = np.arange(len(self.states)).reshape(-1, *[1] * (node.ndim - 1))
        self.states[rows, node] = after

    def drive(self, tree, rounds, walks=None):
        for _ in range(rounds):
            after, answer = self.answer(*tree.simulate(walks))
            self.store(tree.expand(*answer), after)
            tree.backward()


def random_tables(seed, num_states, num_actions, discounts=(0.0, 0.9, -1.0)):
    rng = np.random.default_rng(seed)
    size = (num_states, num_actions)
    return {
        "next_state": rng.integers(0, num_states, size).astype(np.int32),
        "reward": rng.normal(size=size).astype(np.float32),
        "discount": rng.choice(discounts, size, p=[0.1, 0.6, 0.3]).astype(np.float32),
        "prior_logits": rng.normal(size=size).astype(np.float32),
        "value": rng.normal(size=num_states).astype(np.float32),
    }


def fields(tree):
    """mctx's fields of a tree as arrays."""
    return {name: getattr(tree, name).numpy() for name in FIELDS}


def assert_same_tree(one, other):
    """Integers equal, floats within 2e-5, node for node."""
    one, other = fields(one), fields(other)
    for name in FIELDS:
        if one[name].dtype == np.int32:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
        else:
            np.testing.assert_allclose(one[name], other[name], atol=2e-5, err_msg=name)
