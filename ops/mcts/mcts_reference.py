"""simulate, expand and backward in plain TensorFlow: static shapes, no host callback; XLA compiles
them.

What cc/kernels does for one tree, this does for a batch of trees in lockstep. Trees that are done
with their walk keep stepping in place without effect until the last one is done.

`tensor_scatter_nd_update` copies all that it writes to, at every write, when it is not XLA that
compiles it; `InplaceUpdate` does not, and returns the very buffer that it was given. A search that
has made a buffer of its own asks for that. It is safe since each write here follows, by what it is
computed from, all reads of what was there before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ops.mcts import checks, qtransforms, seq_halving
from ops.mcts import tree as t
from ops.mcts.arguments import column
from ops.mcts.qtransforms import QTransform, QTransformFn
from ops.mcts.rules import SelectionRule
from ops.mcts.tree import AtNodes, SearchTree
from ops.mcts.types import RecurrentFnOutput

CHANCE_TIE = 0.99999  # of the greatest score: as good as the greatest

QScore = Callable[[AtNodes], tf.Tensor]  # the q-transform of what is read at nodes: to [B, A]


def simulate(tree: SearchTree, rule: SelectionRule) -> tuple[tf.Tensor, tf.Tensor]:
    """Walks from each root to an edge that leaves the tree: parent and action, int32 [B].

    The edge may be a visited one, where the depth limit or a terminal node ends the walk.
    """

    def choose(node, scores):
        rows, record = _at_node(tree, node)
        qscore = functools.partial(qscores, rule.qtransform, tree, node)
        action, score = _best(scores(t.at_nodes(rows, record), qscore, rule))
        return action, score, _child(rows, action)

    node = tf.zeros(tf.shape(tree.nodes)[:1], tf.int32)
    action, _, child = choose(node, root_scores)
    limit = tf.minimum(rule.max_depth, tree.num_nodes)  # no walk is longer, whatever a tree holds

    def goes_deeper(depth, child):
        return (child >= 0) & (depth < limit)

    def step(depth, node, action, child, walking):
        at = tf.maximum(child, 0)
        next_action, score, next_child = choose(at, interior_scores)
        # Without a score the child is terminal: the edge into it is the answer.
        walking &= score > -float("inf")
        node, action = tf.where(walking, at, node), tf.where(walking, next_action, action)
        child = tf.where(walking, next_child, child)
        return depth + 1, node, action, child, walking & goes_deeper(depth + 1, child)

    depth = tf.constant(1)
    _, node, action, _, _ = tf.while_loop(
        lambda depth, node, action, child, walking: tf.reduce_any(walking),
        step,
        (depth, node, action, child, goes_deeper(depth, child)),
    )
    return node, action


def expand(
    tree: SearchTree,
    parent: tf.Tensor,
    action: tf.Tensor,
    step: RecurrentFnOutput,
    embedding: Any,
    in_place: bool = False,
) -> tuple[SearchTree, tf.Tensor]:
    """Writes the node behind (parent, action): a new one, or the old one again. Returns its index
    [B]; with `in_place` the tree's own tensors are written to, see `own`.
    """
    before, _ = _at_node(tree, parent)
    old = _child(before, action)
    is_new = old < 0
    node = tf.where(is_new, tf.cast(tree.stats[:, t.NEXT_NODE], tf.int32), old)
    rows, record = _at_node(tree, node)
    record = _evaluated(record, is_new, parent, action, step)
    fresh = t.fresh_rows(step.prior_logits)
    again = t.with_prior(rows, step.prior_logits)
    edges = _with_rows(tree.edges, node, tf.where(is_new[:, None, None], fresh, again), in_place)
    at = _edge_at(parent, t.EDGE_CHILD, action)
    tree = SearchTree(
        nodes=_with_rows(tree.nodes, node, record, in_place),
        edges=_with_values(edges, at, tf.cast(node, tf.float32), in_place),
        stats=tf.add(tree.stats, [1.0, 0.0, 0.0]),
        embeddings=tf.nest.map_structure(
            lambda whole, rows: _with_rows(whole, node, rows, in_place),
            tree.embeddings,
            embedding,
        ),
    )
    return tree, node


def own(tree: SearchTree) -> SearchTree:
    """A copy that nobody else reads, which may be written to in place."""
    copies = [tf.raw_ops.DeepCopy(x=x) for x in tf.nest.flatten((tree.nodes, tree.edges))]
    embeddings = tf.nest.map_structure(lambda x: tf.raw_ops.DeepCopy(x=x), tree.embeddings)
    return SearchTree(*copies, tree.stats, embeddings)


def backward(tree: SearchTree, leaf: tf.Tensor, in_place: bool = False) -> SearchTree:
    """Carries the leaf's value up to the root: visits, running means, Q and their range.

    With `in_place` the tree's own tensors are written to, see `own`.
    """
    value = tf.gather_nd(tree.nodes, _batched(leaf))[:, t.VALUE]

    def goes_on(nodes, edges, stats, value, index):
        return tf.reduce_any(index > 0)

    def step(nodes, edges, stats, value, index):
        active = index > 0
        child = tf.gather(nodes, index, axis=1, batch_dims=1)
        # A parent is older than its child; a tree that says otherwise must not loop for ever.
        parent = tf.minimum(tf.cast(child[:, t.PARENT], tf.int32), index - 1)
        parent = tf.maximum(parent, 0)
        action = tf.where(active, t.slot_of(child), 0)
        reward, discount = child[:, t.REWARD], child[:, t.DISCOUNT]
        record = tf.gather(nodes, parent, axis=1, batch_dims=1)
        value = tf.where(active, reward + discount * value, value)
        count = record[:, t.VISITS]
        mean = (record[:, t.VALUE] * count + value) / (count + 1.0)
        updated = tf.stack([count + 1.0, mean], axis=-1)
        updated = tf.concat([record[:, : t.VISITS], updated, record[:, t.RAW_VALUE :]], axis=-1)
        # All of the child is read by now: it may be its parent's neighbour in the same buffer.
        qvalue = reward + discount * child[:, t.VALUE]
        nodes = _with_rows(nodes, parent, tf.where(active[:, None], updated, record), in_place)
        edges, stats = _take_edge(edges, stats, active, parent, action, qvalue, in_place)
        return nodes, edges, stats, value, tf.where(active, parent, 0)

    state = (tree.nodes, tree.edges, tree.stats, value, leaf)
    nodes, edges, stats, _, _ = tf.while_loop(goes_on, step, state)
    return SearchTree(nodes, edges, stats, tree.embeddings)


def qscores(
    qtransform: QTransform | QTransformFn, tree: SearchTree, node: tf.Tensor, at: AtNodes
) -> tf.Tensor:
    """The q-transform at one node a tree: node [B], what it reads there, to [B, A]."""
    if isinstance(qtransform, QTransform):
        return qtransforms.transform(qtransform, at, tree.stats)
    return checks.own_qvalues(qtransform(tree, node), at.probs >= 0)


def root_scores(at: AtNodes, qscore: QScore, rule: SelectionRule) -> tf.Tensor:
    """By which a walk goes on from roots: [B, A], -inf where an action is illegal."""
    if rule.kind != "gumbel":
        return interior_scores(at, qscore, rule)
    legal = at.probs >= 0
    largest, last = rule.considered.shape[0] - 1, rule.considered.shape[1] - 1
    valid = tf.reduce_sum(tf.cast(legal, tf.int32), axis=-1)
    simulation = tf.cast(tf.reduce_sum(at.edge_visits, axis=-1), tf.int32)
    considered = tf.gather_nd(
        rule.considered,
        tf.stack([tf.minimum(valid, largest), tf.minimum(simulation, last)], axis=-1),
    )
    score = seq_halving.score_considered(
        considered[:, None], rule.gumbel, at.logits, qscore(at), at.edge_visits
    )
    return tf.where(legal, score, -float("inf"))


def interior_scores(at: AtNodes, qscore: QScore, rule: SelectionRule) -> tf.Tensor:
    """As `root_scores`, of nodes below the root."""
    if rule.kind == "stochastic":
        return _stochastic_scores(at, qscore, rule)
    legal, visits = at.probs >= 0, at.edge_visits
    if rule.kind == "puct":
        rate = column(rule.pb_c_init) + tf.math.log1p((at.visits + 1.0) / column(rule.pb_c_base))
        score = qscore(at) + tf.sqrt(at.visits) * rate * at.probs / (visits + 1.0)
    else:
        total = tf.reduce_sum(visits, axis=-1, keepdims=True)
        logits = tf.where(legal, at.logits, t.LOWEST_LOGIT)
        score = tf.nn.softmax(logits + qscore(at)) - visits / (1.0 + total)
    # Of one shape: TensorFlow's select takes four times as long where it must broadcast.
    return tf.where(legal, score, tf.fill(tf.shape(score), -float("inf")))


def _stochastic_scores(at, qscore, rule):
    """PUCT's scores of the actions beside those of the outcomes: a node's legal edges are all of
    one kind.
    """
    first = rule.first_outcome
    rule = rule._replace(kind="puct")
    actions = interior_scores(at.actions(0, first), qscore, rule)
    return tf.concat([actions, _chance_scores(at.actions(first))], axis=-1)


def _chance_scores(at):
    """0 for every outcome that is tied with the greatest prior / (visits + 1), -inf for the rest.

    As TiedChanceScore of cc/kernels/formulas.h; of the unvisited outcomes only the first of the
    greatest prior is looked at, as there.
    """
    prior, visits = at.probs, at.edge_visits
    likely = tf.argmax(tf.where(visits > 0, -1.0, prior), axis=-1)
    likeliest = tf.one_hot(likely, tf.shape(prior)[1], on_value=True, off_value=False)
    looked_at = (prior >= 0) & ((visits > 0) | likeliest)
    score = tf.where(looked_at, prior / (visits + 1.0), -float("inf"))
    greatest = tf.reduce_max(score, axis=-1, keepdims=True)
    tied = score >= CHANCE_TIE * tf.maximum(greatest, 0.0)
    return tf.where(tied, 0.0, -float("inf"))


def _best(scores):
    return tf.argmax(scores, axis=-1, output_type=tf.int32), tf.reduce_max(scores, axis=-1)


def _batched(index):
    return tf.stack([tf.range(tf.shape(index)[0]), index], axis=-1)


def _at_node(tree, node):
    at = _batched(node)
    return tf.gather_nd(tree.edges, at), tf.gather_nd(tree.nodes, at)


def _child(rows, action):
    return tf.cast(tf.gather(rows[:, t.EDGE_CHILD], action, axis=1, batch_dims=1), tf.int32)


def _edge_at(node, row, action):
    return tf.stack(
        [tf.range(tf.shape(node)[0]), node, tf.fill(tf.shape(node), row), action], axis=-1
    )


def _with_rows(whole, node, rows, in_place):
    """The tensor [B, M, …] with other rows [B, …] at one node a tree."""
    if not in_place:
        return tf.tensor_scatter_nd_update(whole, _batched(node), rows)
    size = tf.shape(whole)
    flat = tf.reshape(whole, tf.concat([[-1], size[2:]], axis=0))
    at = tf.range(size[0]) * size[1] + node
    written = tf.raw_ops.InplaceUpdate(x=flat, i=at, v=rows)
    return tf.ensure_shape(tf.reshape(written, size), whole.shape)


def _with_values(edges, at, values, in_place):
    """The edges with other values [n] at places [n, 4]."""
    if not in_place:
        return tf.tensor_scatter_nd_update(edges, at, values)
    # By rows of A, whose number an int32 holds where that of all values would be too large.
    size = tf.shape(edges)
    row = (at[:, 0] * size[1] + at[:, 1]) * size[2] + at[:, 2]
    here = tf.one_hot(at[:, 3], size[3], on_value=True, off_value=False)
    rows = tf.where(here, values[:, None], tf.gather_nd(edges, at[:, :3]))
    written = tf.raw_ops.InplaceUpdate(x=tf.reshape(edges, [-1, size[3]]), i=row, v=rows)
    return tf.ensure_shape(tf.reshape(written, size), edges.shape)


def _evaluated(record, is_new, parent, action, step):
    visits = tf.where(is_new, 1.0, record[:, t.VISITS] + 1.0)
    fields = [
        tf.cast(parent, tf.float32),
        t.place(action, tf.shape(step.prior_logits)[1]),
        visits,
        step.value,
        step.value,
        step.reward,
        step.discount,
        tf.zeros_like(visits) + t.UNKNOWN,
    ]
    return tf.stack(fields, axis=-1)


def _take_edge(edges, stats, active, parent, action, qvalue, in_place):
    """Counts one more visit of each active tree's edge and writes its Q.

    One read and one write: XLA copies all edges where a read may follow a write.
    """
    at = tf.concat(
        [_edge_at(parent, row, action) for row in (t.EDGE_QVALUE, t.EDGE_VISITS)], axis=0
    )
    old = tf.gather_nd(edges, at)
    _, old_visits = tf.split(old, 2)
    taken = tf.concat([qvalue, old_visits + 1.0], axis=0)
    edges = _with_values(edges, at, tf.where(tf.tile(active, [2]), taken, old), in_place)
    low = tf.minimum(stats[:, t.MIN_QVALUE], qvalue)
    high = tf.maximum(stats[:, t.MAX_QVALUE], qvalue)
    ranged = tf.stack([stats[:, t.NEXT_NODE], low, high], axis=-1)
    return edges, tf.where(active[:, None], ranged, stats)
