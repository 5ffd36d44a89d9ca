"""Stochastic models in tables, and their search in float64, one node object after another."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from ops import mcts

LOGITS = ("action_logits", "chance_logits")


class StochasticTable:
    """Tables over S states, A actions, C outcomes: action_logits [S, A], value [S],
    chance_logits [S, A, C], afterstate_value [S, A], next_state, reward, discount [S, A, C].

    The afterstate's embedding is [B, 2], state and action.
    """

    def __init__(self, tables):
        self.tables = {key: tf.constant(value) for key, value in tables.items()}

    def _at(self, key, *index):
        return tf.gather_nd(self.tables[key], tf.stack(index, axis=-1))

    def root(self, states):
        logits, value = self._at("action_logits", states), self._at("value", states)
        return mcts.RootFnOutput(logits, value, states)

    def decide(self, action, state):
        said = mcts.DecisionRecurrentFnOutput(
            chance_logits=self._at("chance_logits", state, action),
            afterstate_value=self._at("afterstate_value", state, action),
        )
        return said, tf.stack([state, action], axis=-1)

    def happen(self, outcome, afterstate):
        at = (*tf.unstack(afterstate, axis=-1), outcome)
        after = self._at("next_state", *at)
        said = mcts.ChanceRecurrentFnOutput(
            action_logits=self._at("action_logits", after),
            value=self._at("value", after),
            reward=self._at("reward", *at),
            discount=self._at("discount", *at),
        )
        return said, after

    def search(self, states, num_simulations, **kwargs):
        """A search without noise that takes the most visited action.

        Not in a tf.function: a short search ends sooner than it is traced.
        """
        kwargs = dict(dirichlet_fraction=0.0, temperature=0.0, seed=tf.constant([0, 1])) | kwargs
        root = self.root(tf.constant(np.array(states, np.int32)))
        return mcts.stochastic_muzero_policy(
            root, self.decide, self.happen, num_simulations, **kwargs
        )

    def traced(self, *args, jit_compile=False, **kwargs):
        """As `search`, in a tf.function."""
        return tf.function(lambda: self.search(*args, **kwargs), jit_compile=jit_compile)()


def random_tables(seed, num_states, num_actions, num_outcomes):
    """Some states are terminal, some actions illegal and some outcomes impossible."""
    rng = np.random.default_rng(seed)
    edges, outcomes = (num_states, num_actions), (num_states, num_actions, num_outcomes)
    tables = {
        "action_logits": rng.normal(size=edges).astype(np.float32),
        "value": rng.normal(size=num_states).astype(np.float32),
        "chance_logits": 2 * rng.normal(size=outcomes).astype(np.float32),
        "afterstate_value": rng.normal(size=edges).astype(np.float32),
        "next_state": rng.integers(0, num_states, outcomes).astype(np.int32),
        "reward": rng.normal(size=outcomes).astype(np.float32),
        "discount": rng.choice([0.0, 0.9, -1.0], outcomes, p=[0.1, 0.6, 0.3]).astype(np.float32),
    }
    for key in LOGITS:
        hidden = rng.random(tables[key].shape) < 0.2
        hidden[..., 0] = False
        tables[key][hidden] = -np.inf
    tables["action_logits"][-num_states // 8 :] = -np.inf
    return tables


class Node:
    """A node of the search in float64; `mean` is that of its own value and of all returns."""

    def __init__(self, number, above, action, place, is_chance, logits, value):
        self.number, self.above, self.action, self.place = number, above, action, place
        self.is_chance, self.raw_value = is_chance, value
        self.legal = np.flatnonzero(np.isfinite(logits))
        weights = np.exp(logits - logits.max(initial=-1e30, where=np.isfinite(logits)))
        self.prior = np.where(np.isfinite(logits), weights, 0.0) / max(weights.sum(), 1e-300)
        self.returns, self.below, self.reward, self.discount = [value], {}, 0.0, 1.0

    @property
    def mean(self):
        return math.fsum(self.returns) / len(self.returns)

    def visits(self, edge):
        below = self.below.get(edge)
        return 0 if below is None else len(below.returns)

    def qvalue(self, edge):
        below = self.below[edge]
        return below.reward + below.discount * below.mean


class ReferenceSearch:
    """Grows one tree of a table, whose edges at a chance node are numbered from 0."""

    def __init__(self, tables, state, illegal, qtransform, max_depth=None, c1=1.25, c2=19652.0):
        self.tables = {
            key: value if value.dtype == np.int32 else value.astype(np.float64)
            for key, value in tables.items()
        }
        self.qtransform, self.max_depth, self.c1, self.c2 = qtransform, max_depth, c1, c2
        self.low, self.high = math.inf, -math.inf
        logits = np.where(illegal, -np.inf, self.tables["action_logits"][state])
        value = self.tables["value"][state]
        self.nodes = {0: Node(0, None, -1, (state,), False, logits, value)}

    def run(self, num_simulations):
        for number in range(1, num_simulations + 1):
            self.simulate(number)

    def simulate(self, number):
        node, depth = self.nodes[0], 1
        edge = self.choose(node)
        while edge in node.below and depth != self.max_depth and len(node.below[edge].legal):
            node, depth = node.below[edge], depth + 1
            edge = self.choose(node)
        if edge not in node.below:
            node.below[edge] = self.nodes[number] = self.evaluate(number, node, edge)
        else:
            node.below[edge].returns.append(node.below[edge].raw_value)
        self.back_up(node.below[edge])

    def evaluate(self, number, node, edge):
        at = (*node.place, edge)
        if not node.is_chance:
            said = (self.tables[key][at] for key in ("chance_logits", "afterstate_value"))
            return Node(number, node, edge, at, True, *said)
        state = self.tables["next_state"][at]
        said = (self.tables[key][state] for key in ("action_logits", "value"))
        after = Node(number, node, edge, (state,), False, *said)
        after.reward, after.discount = (self.tables[key][at] for key in ("reward", "discount"))
        return after

    def back_up(self, node):
        value = node.raw_value
        while node.above is not None:
            value = node.reward + node.discount * value
            qvalue = node.above.qvalue(node.action)
            self.low, self.high = min(self.low, qvalue), max(self.high, qvalue)
            node = node.above
            node.returns.append(value)

    def choose(self, node):
        if node.is_chance:
            return max(node.legal, key=lambda edge: node.prior[edge] / (node.visits(edge) + 1))
        qscore, total = self.qscores(node), len(node.returns)
        rate = math.sqrt(total) * (self.c1 + math.log((total + self.c2 + 1) / self.c2))
        return max(
            node.legal,
            key=lambda edge: qscore[edge] + rate * node.prior[edge] / (node.visits(edge) + 1),
        )

    def qscores(self, node):
        """The q-transform's score of each of the A actions."""
        q, edges = self.qtransform, range(len(node.prior))
        known = {edge: node.qvalue(edge) for edge in node.below}
        if q.kind == "parent_and_siblings":
            values = [node.mean, *known.values()]
            low, high = min(values), max(values)
            scale = max(high - low, q.epsilon)
            return [(known[edge] - low) / scale if edge in known else 0.0 for edge in edges]
        if q.kind == "tree_min_max":
            low, high = (self.low, self.high) if self.high > self.low else (0.0, 1.0)
            return [(known[edge] - low) / (high - low) if edge in known else 0.0 for edge in edges]
        if q.kind == "min_max":
            span, urgency = q.max_value - q.min_value, q.fpu_reduction >= 0
            missing = np.clip(node.mean - q.fpu_reduction, q.min_value, q.max_value)
            missing = missing if urgency else q.min_value
            return [(known.get(edge, missing) - q.min_value) / span for edge in edges]
        return self.completed(node, known, edges)

    def completed(self, node, known, edges):
        """Danihelka et al. 2022, equation 33, over the A actions."""
        q, weight = self.qtransform, sum(node.prior[edge] for edge in known)
        mean = sum(node.prior[e] * known[e] for e in known) / weight if known else 0.0
        count = sum(node.visits(edge) for edge in edges)
        mixed = (node.raw_value + count * mean) / (count + 1)
        values = np.array([known.get(edge, mixed) for edge in edges])
        scaled = (values - values.min()) / max(np.ptp(values), q.epsilon)
        most = max(node.visits(edge) for edge in edges)
        return (q.maxvisit_init + most) * q.value_scale * scaled
