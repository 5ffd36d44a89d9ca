"""What the twin's searches that plan have in common: tables, choices, plans.

A choice depends on its node alone, so each node keeps its plan: the edge at which a walk that
reaches it ends. To walk is to read the root's plan. After a backup each node of the way chooses
anew. One that still chooses the next node of the way has that node's plan; any other one has the
plan of the child that it chooses, which lies apart from the way and is as it was, or ends the walk
itself.

Nodes are rows of tables, tree by tree: node n of tree b is row b · M + n. R = B · M is the number
of rows.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from ops.mcts import mcts_reference, qtransforms, table_rows
from ops.mcts import tree as t
from ops.mcts.qtransforms import QTransform
from ops.mcts.rules import SelectionRule
from ops.mcts.tree import AtNodes, SearchTree
from ops.mcts.types import RecurrentFnOutput, Visited

# Columns of `live`; behind them Q, visits and child of each edge.
VISITS, VALUE, PLAN = range(3)
EDGES = 3
# Columns of `made`; behind them prior probability and prior logit of each edge.
PARENT, SLOT, RAW_VALUE, REWARD, DISCOUNT = range(5)
PRIORS = 5


class Tables(NamedTuple):
    """All trees while they are searched.

    live: float32 [R, 3 + 3A], what backups change: visits, value, plan (the bits of an int32, see
      `_own_plans`), and of each edge Q, visits and child, 0 where there is none. Zeros where no
      node is made, as a new node's row is.
    made: float32 [R, 5 + 2A], what is known since a node was made: parent, slot, raw value, reward,
      discount, and of each edge prior probability and prior logit.
    above: of the form's own.
    stats: float32 [B, 3], as a SearchTree's.
    embeddings: nest of [R, ...].
    """

    live: tf.Tensor
    made: tf.Tensor
    above: Any
    stats: tf.Tensor
    embeddings: Any


class Walk(NamedTuple):
    """The walks of one simulation.

    action: int32 [B], the edges at which they leave the trees.
    parent: int32 [B], the row that the edge leaves from.
    way: int32 [B, L], the rows from `parent` up to the root, -1 behind that; of the plain search.
    """

    action: tf.Tensor
    parent: tf.Tensor
    way: tf.Tensor | None = None


class PlannedSearch(abc.ABC):
    """A search of one batch of trees, in steps: `start`, then `simulate` and `learn` by turns,
    then `finish`.
    """

    def __init__(self, tree: SearchTree, rule: SelectionRule):
        self._rule, self._tree = rule, tree
        self._num_nodes, self._num_actions = tree.num_nodes, tree.num_actions
        self._num_trees = tf.shape(tree.stats)[0]
        self._roots = tf.range(self._num_trees) * self._num_nodes  # [B]

    @staticmethod
    @abc.abstractmethod
    def serves(rule: SelectionRule) -> bool:
        """Whether this form can search by the rule."""

    @abc.abstractmethod
    def start(self) -> Tables:
        """The tables of the trees as they are."""

    @abc.abstractmethod
    def simulate(self, tables: Tables) -> tuple[Walk, Any]:
        """Walks from each root to an edge that leaves the tree: the walks, and the embeddings
        [B, ...] of the nodes that they leave from.
        """

    @abc.abstractmethod
    def _backed_up(self, tables: Tables, walk: Walk, leaf: tf.Tensor) -> Tables:
        """Tables after the backup of leaves [B], whose rows of `made` are written."""

    def visited(self, tables: Tables, walk: Walk) -> Visited:
        """What the trees know of the nodes that the walks come to."""
        child = self._child(tables, walk)
        record = tf.gather(tables.live, self._roots + tf.cast(child, tf.int32))
        return Visited(*(tf.where(child > 0, record[:, field], 0.0) for field in (VISITS, VALUE)))

    def learn(self, tables: Tables, walk: Walk, step: RecurrentFnOutput, embedding: Any) -> Tables:
        """Writes the nodes that the walks lead to, and carries their values up to the roots."""
        tables, leaf = self._expanded(tables, walk, step, embedding)
        return self._backed_up(tables, walk, leaf)

    def finish(self, tables: Tables) -> SearchTree:
        """The trees."""
        live, made = tables.live, tables.made
        slot = tf.cast(made[:, SLOT], tf.int32)
        nodes = [
            made[:, PARENT],
            t.place(slot, tf.zeros_like(slot) + self._num_actions),
            *(live[:, VISITS], live[:, VALUE]),
            *(made[:, column] for column in (RAW_VALUE, REWARD, DISCOUNT)),
            tf.zeros_like(live[:, VISITS]) + t.UNKNOWN,
        ]
        qvalues, visits, child = self._thirds(live)
        child = tf.where(child > 0, child, float(t.UNVISITED))
        probs, logits = self._halves(made)
        action = tf.zeros_like(probs) + tf.range(self._num_actions, dtype=tf.float32)
        edges = tf.stack([qvalues, visits, probs, action, child, logits], axis=1)
        tree = SearchTree(
            nodes=self._whole(tf.stack(nodes, axis=1)),
            edges=self._whole(edges),
            stats=tables.stats,
            embeddings=tf.nest.map_structure(self._whole, tables.embeddings),
        )
        return t.without_unmade(tree)

    def _rows_of_trees(self, used):
        """`live` and `made` of each tree's first nodes, with no plans: [B · used, ...] each."""
        tree, count = self._tree, tf.range(used, dtype=tf.float32)
        nodes, edges = tree.nodes[:, :used], table_rows.flat(tree.edges[:, :used])
        known = table_rows.flat(count < tree.stats[:, t.NEXT_NODE, None])[:, None]
        nodes = table_rows.flat(nodes)
        slot = tf.cast(t.slot_of(nodes), tf.float32)[:, None]
        counts, said = nodes[:, t.VISITS : t.VALUE + 1], nodes[:, t.RAW_VALUE : t.DISCOUNT + 1]
        child = tf.maximum(edges[:, t.EDGE_CHILD], 0.0)
        live = [edges[:, t.EDGE_QVALUE], edges[:, t.EDGE_VISITS], child]
        made = [edges[:, row] for row in (t.EDGE_PROB, t.EDGE_LOGIT)]
        live = tf.concat([counts, tf.zeros_like(slot), *live], axis=1)
        made = tf.concat([nodes[:, t.PARENT, None], slot, said, *made], axis=1)
        return tf.where(known, live, 0.0), made

    def _whole(self, table):
        """[R, ...] to [B, M, ...]."""
        trees = self._tree.nodes.shape[:2]
        size = tf.concat([[self._num_trees, self._num_nodes], tf.shape(table)[1:]], axis=0)
        return tf.ensure_shape(tf.reshape(table, size), trees.concatenate(table.shape[1:]))

    def _expanded(self, tables, walk, step, embedding):
        """Tables with what the model says of the walks' leaves, and these [B]: new nodes, or old
        ones again.
        """
        old = self._child(tables, walk)
        node = tf.where(old > 0, old, tables.stats[:, t.NEXT_NODE])
        leaf = self._roots + tf.cast(node, tf.int32)
        parent = tf.cast(walk.parent - self._roots, tf.float32)
        slot = tf.cast(walk.action, tf.float32)
        said = tf.stack([parent, slot, step.value, step.reward, step.discount], axis=1)
        probs = t.prior_probabilities(step.prior_logits)
        tables = tables._replace(
            made=table_rows.written(
                tables.made, leaf, tf.concat([said, probs, step.prior_logits], axis=1)
            ),
            stats=tf.add(tables.stats, [1.0, 0.0, 0.0]),
            embeddings=tf.nest.map_structure(
                lambda whole, rows: table_rows.written(whole, leaf, rows),
                tables.embeddings,
                embedding,
            ),
        )
        return tables, leaf

    def _child(self, tables, walk):
        """The nodes that the walks come to, 0 where they are new: float32 [B]."""
        column = EDGES + 2 * self._num_actions + walk.action
        return tf.gather_nd(tables.live, tf.stack([walk.parent, column], axis=1))

    def _taken(self, live, taken, qvalue, child):
        """Edges' Q, visits and child [E, A] after the walk took some [E]; none where that is -1."""
        qvalues, visits, children = self._thirds(live)
        here = tf.one_hot(taken, self._num_actions)
        others = 1.0 - here
        qvalues = qvalues * others + here * qvalue[:, None]
        return qvalues, visits + here, children * others + here * child[:, None]

    def _at(self, made, value, visits, qvalues, edge_visits, _):
        nodes = (visits[:, None], value[:, None], made[:, RAW_VALUE, None])
        return AtNodes(*nodes, qvalues, edge_visits, *self._halves(made))

    def _choices(self, at, stats, owner, roots, trees):
        """Action and score [n] at nodes of trees `owner` [n], of which entries `roots` are the
        roots of `trees`.
        """
        scores = self._scores(at, stats, owner, mcts_reference.interior_scores)
        if self._rule.kind == "gumbel":
            of_roots = self._scores(
                AtNodes(*(tf.gather(field, roots) for field in at)),
                stats,
                trees,
                mcts_reference.root_scores,
            )
            scores = tf.tensor_scatter_nd_update(scores, roots[:, None], of_roots)
        return table_rows.best(scores)

    def _scores(self, at: AtNodes, stats: tf.Tensor, owner: tf.Tensor, scores: Callable):
        """Scores [n, A], by one of mcts_reference's rules, at nodes of trees `owner` [n]."""
        rule = _of_trees(self._rule, owner)
        if rule.qtransform.kind == "tree_min_max":
            stats = tf.gather(stats, owner)
        return scores(at, lambda at: qtransforms.transform(rule.qtransform, at, stats), rule)

    def _own_plans(self, live, roots, rows, action, child):
        """Where walks end that leave the nodes by these actions, as the tables have it: all [n],
        the roots' rows beside the nodes'. A plan is row · A + action.
        """
        at = roots + tf.cast(child, tf.int32)
        plan = tf.bitcast(tf.gather_nd(live, table_rows.cells(at, PLAN)), tf.int32)
        return tf.where(child > 0, plan, rows * self._num_actions + action)

    def _plan_anew(self, tables, trees, used):
        """`live` in which the first `used` nodes of some trees have their plans: int [S]."""
        node = tf.tile(tf.range(used), [tf.size(trees)])  # [S · used]
        owner = tf.repeat(trees, used)
        roots = tf.gather(self._roots, owner)
        rows = roots + node
        live, made = tf.gather(tables.live, rows), tf.gather(tables.made, rows)
        edges = self._thirds(live)
        at = self._at(made, live[:, VALUE], live[:, VISITS], *edges)
        first = tf.range(tf.size(trees)) * used
        action, score = self._choices(at, tables.stats, owner, first, trees)
        child = tf.cast(tf.gather(edges[2], action, axis=1, batch_dims=1), tf.int32)
        # The edge at which a walk ends that goes no further than here.
        edge = rows * self._num_actions + action
        parent, slot = (tf.cast(made[:, field], tf.int32) for field in (PARENT, SLOT))
        into = (roots + parent) * self._num_actions + slot
        edge = tf.where((score == -float("inf")) & (parent >= 0), into, edge)
        place = tf.range(tf.size(rows))
        ahead = tf.where((child > node) & (child < used), place - node + child, place)
        plan = tf.bitcast(tf.gather(edge, table_rows.ends(ahead)), tf.float32)
        live = tf.concat([live[:, :PLAN], plan[:, None], live[:, EDGES:]], axis=1)
        return table_rows.written(tables.live, rows, live)

    def _thirds(self, live):
        first, second = EDGES + self._num_actions, EDGES + 2 * self._num_actions
        return live[:, EDGES:first], live[:, first:second], live[:, second:]

    def _halves(self, made):
        middle = PRIORS + self._num_actions
        return made[:, PRIORS:middle], made[:, middle:]


def is_planned(rule: SelectionRule) -> bool:
    """Whether the rule's choices are known from what the tables hold."""
    return isinstance(rule.qtransform, QTransform)


def _of_trees(rule: SelectionRule, owner: tf.Tensor) -> SelectionRule:
    """The rule with numbers that are a tree's own [B] given to rows of trees `owner` [n]."""

    def given(number):
        return tf.gather(number, owner) if tf.is_tensor(number) and number.shape.rank else number

    qtransform = QTransform(*map(given, rule.qtransform))
    return rule._replace(
        qtransform=qtransform,
        pb_c_init=given(rule.pb_c_init),
        pb_c_base=given(rule.pb_c_base),
        gumbel=given(rule.gumbel),
    )
