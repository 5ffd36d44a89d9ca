"""The twin's search as TensorFlow's executor runs it fastest: no loop over the levels of a walk.

Whatever an op does, the executor takes some microseconds for it, and a walk level by level is many
ops. So a simulation works on all nodes of all its walks at once:

- A choice depends on its node alone, so each node keeps its plan: the edge at which a walk that
  reaches it ends. To walk is to read the root's plan.
- Each node keeps its nearest ancestors, so the way back to the root is known after few reads.
- The returns on the way back are a linear recurrence, r + γ · (the return below), which one op
  solves.
- After the backup each node of the way chooses anew. One that still chooses the next node of the
  way has that node's plan; any other one has the plan of the child that it chooses, which lies
  apart from the way and is as it was, or ends the walk itself.

Where the range of Q in the tree plays a part in choices, a tree whose range has grown plans anew as
a whole.

Nodes are rows of tables, tree by tree: node n of tree b is row b · M + n. R = B · M is the number
of rows, E that of the nodes on the walks of one simulation, their leaves among them. Tables are
buffers of the search's own that `InplaceUpdate` writes to; each write follows, by what it is
computed from, all reads of what was there before.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from ops.mcts import mcts_reference, plain_rows, qtransforms
from ops.mcts import tree as t
from ops.mcts.qtransforms import QTransform
from ops.mcts.rules import UNLIMITED_DEPTH, SelectionRule
from ops.mcts.tree import AtNodes, SearchTree
from ops.mcts.types import RecurrentFnOutput, Visited

ABOVE = 16  # how many ancestors a node keeps
# Columns of `live`; behind them Q, visits and child of each edge.
VISITS, VALUE, PLAN = range(3)
EDGES = 3
# Columns of `made`; behind them prior probability and prior logit of each edge.
PARENT, SLOT, RAW_VALUE, REWARD, DISCOUNT = range(5)
PRIORS = 5


class Tables(NamedTuple):
    """All trees while they are searched.

    live: float32 [R, 3 + 3A], what backups change: visits, value, plan (the bits of an int32, see
      `_edge`), and of each edge Q, visits and child.
    made: float32 [R, 5 + 2A], what is known since a node was made: parent, slot, raw value, reward,
      discount, and of each edge prior probability and prior logit.
    above: int32 [R, 16], the rows of the nearest ancestors, -1 above the root.
    stats: float32 [B, 3], as a SearchTree's.
    embeddings: nest of [R, ...].
    """

    live: tf.Tensor
    made: tf.Tensor
    above: tf.Tensor
    stats: tf.Tensor
    embeddings: Any


class Walk(NamedTuple):
    """The walks of one simulation.

    action: int32 [B], the edges at which they leave the trees.
    parent: int32 [B], the row that the edge leaves from.
    way: int32 [B, L], the rows from `parent` up to the root; -1 behind that.
    """

    action: tf.Tensor
    parent: tf.Tensor
    way: tf.Tensor


class PlainSearch:
    """A search of one batch of trees, in steps: `start`, then `simulate` and `learn` by turns,
    then `finish`.
    """

    def __init__(self, tree: SearchTree, rule: SelectionRule):
        """Of the trees' embeddings [B, M', ...] only those of nodes that are made need be there."""
        self._rule, self._tree = rule, tree
        self._num_nodes, self._num_actions = tree.num_nodes, tree.num_actions
        self._num_trees = tf.shape(tree.stats)[0]
        self._roots = tf.range(self._num_trees) * self._num_nodes  # [B]

    @staticmethod
    def serves(rule: SelectionRule) -> bool:
        """Whether the rule's choices are known from what the tables hold."""
        return isinstance(rule.qtransform, QTransform)

    def start(self) -> Tables:
        """The tables of the trees as they are."""
        tree, used = self._tree, plain_rows.greatest(self._tree.stats)
        rows = tf.reshape(self._roots[:, None] + tf.range(used), [-1])
        nodes, edges = plain_rows.flat(tree.nodes[:, :used]), plain_rows.flat(tree.edges[:, :used])
        slot = tf.cast(t.slot_of(nodes), tf.float32)[:, None]
        plan = tf.zeros_like(slot)
        counts, said = nodes[:, t.VISITS : t.VALUE + 1], nodes[:, t.RAW_VALUE : t.DISCOUNT + 1]
        live = [edges[:, row] for row in (t.EDGE_QVALUE, t.EDGE_VISITS, t.EDGE_CHILD)]
        made = [edges[:, row] for row in (t.EDGE_PROB, t.EDGE_LOGIT)]
        above = plain_rows.flat(self._ancestors(used))
        tables = Tables(
            live=self._table(rows, tf.concat([counts, plan, *live], axis=1)),
            made=self._table(rows, tf.concat([nodes[:, t.PARENT, None], slot, said, *made], 1)),
            above=self._table(rows, above),
            stats=tree.stats,
            # The largest table by far, of which only rows are read that were written.
            embeddings=tf.nest.map_structure(
                lambda whole: self._table(rows, plain_rows.flat(whole[:, :used]), init=False),
                tree.embeddings,
            ),
        )
        return self._plan_anew(tables, tf.range(self._num_trees))

    def simulate(self, tables: Tables) -> tuple[Walk, Any]:
        """Walks from each root to an edge that leaves the tree: the walks, and the embeddings
        [B, ...] of the nodes that they leave from.
        """
        plan = tf.gather_nd(tables.live, plain_rows.cells(self._roots, PLAN))
        edge = tf.bitcast(plan, tf.int32)
        parent, action = edge // self._num_actions, edge % self._num_actions
        way = tf.concat([parent[:, None], tf.gather(tables.above, parent)], axis=1)

        def longer(way):
            # A root's row is all -1, that of the first tree as good as that of any.
            above = tf.gather(tables.above, tf.maximum(way[:, -1], 0))
            return (tf.concat([way, above], axis=1),)

        (way,) = tf.while_loop(
            lambda way: tf.reduce_any(way[:, -1] >= 0),
            longer,
            (way,),
            shape_invariants=(tf.TensorShape([way.shape[0], None]),),
            parallel_iterations=1,
        )
        walk = self._within_limit(tables, Walk(action, parent, way))
        embeddings = tf.nest.map_structure(lambda x: tf.gather(x, walk.parent), tables.embeddings)
        return walk, embeddings

    def visited(self, tables: Tables, walk: Walk) -> Visited:
        """What the trees know of the nodes that the walks come to."""
        child = self._child(tables, walk)
        record = tf.gather(tables.live, self._roots + tf.cast(tf.maximum(child, 0.0), tf.int32))
        return Visited(*(tf.where(child >= 0, record[:, field], 0.0) for field in (VISITS, VALUE)))

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

    def _table(self, rows, values, init=True):
        """A new buffer [R, ...] with values [n, ...] in some rows; with `init` zeros elsewhere."""
        size = tf.concat([[self._num_trees * self._num_nodes], tf.shape(values)[1:]], axis=0)
        empty = tf.raw_ops.Empty(shape=size, dtype=values.dtype, init=init)
        return plain_rows.written(tf.ensure_shape(empty, [None, *values.shape[1:]]), rows, values)

    def _whole(self, table):
        """[R, ...] to [B, M, ...]."""
        trees = self._tree.nodes.shape[:2]
        size = tf.concat([[self._num_trees, self._num_nodes], tf.shape(table)[1:]], axis=0)
        return tf.ensure_shape(tf.reshape(table, size), trees.concatenate(table.shape[1:]))

    def _ancestors(self, used):
        """Rows of the ancestors of each tree's first nodes: int32 [B, used, 16]."""
        index = tf.range(used)
        # A parent is older than its child; a tree that says otherwise must not loop for ever.
        parent = tf.minimum(tf.cast(self._tree.nodes[:, :used, t.PARENT], tf.int32), index - 1)
        above = tf.maximum(parent, -1)[:, :, None]
        while above.shape[2] < ABOVE:
            last = tf.maximum(above[:, :, -1], 0)
            above = tf.concat([above, tf.gather(above, last, axis=1, batch_dims=1)], axis=2)
        return tf.where(above >= 0, above + self._roots[:, None, None], -1)

    def _within_limit(self, tables, walk):
        """The walks cut off where they have as many edges as the rule allows."""
        limit = self._rule.max_depth
        if not tf.is_tensor(limit) and limit >= UNLIMITED_DEPTH:
            return walk
        length = tf.reduce_sum(tf.cast(walk.way >= 0, tf.int32), axis=1)
        cut = tf.maximum(length - limit, 0)
        leaf = tf.gather(walk.way, tf.maximum(cut - 1, 0), batch_dims=1)
        slot = tf.cast(tf.gather_nd(tables.made, plain_rows.cells(leaf, SLOT)), tf.int32)
        kept = tf.range(tf.shape(walk.way)[1]) >= cut[:, None]
        return Walk(
            action=tf.where(cut > 0, slot, walk.action),
            parent=tf.gather(walk.way, cut, batch_dims=1),
            way=tf.where(kept, walk.way, -1),
        )

    def _expanded(self, tables, walk, step, embedding):
        """Tables with the walks' leaves, and these [B]: new nodes, or old ones again."""
        old = self._child(tables, walk)
        is_new = old < 0
        node = tf.where(is_new, tables.stats[:, t.NEXT_NODE], old)
        leaf = self._roots + tf.cast(node, tf.int32)
        before = tf.gather(tables.live, leaf)
        visits = tf.where(is_new, 1.0, before[:, VISITS] + 1.0)
        zeros = tf.zeros_like(step.prior_logits)
        fresh = tf.concat([zeros, zeros, zeros + t.UNVISITED], axis=1)
        edges = tf.where(is_new[:, None], fresh, before[:, EDGES:])
        counts = tf.stack([visits, step.value, tf.zeros_like(visits)], axis=1)
        parent = tf.cast(walk.parent - self._roots, tf.float32)
        slot = tf.cast(walk.action, tf.float32)
        said = tf.stack([parent, slot, step.value, step.reward, step.discount], axis=1)
        probs = t.prior_probabilities(step.prior_logits)
        nearest = tf.gather(tables.above, walk.parent)[:, :-1]
        tables = Tables(
            live=plain_rows.written(tables.live, leaf, tf.concat([counts, edges], axis=1)),
            made=plain_rows.written(
                tables.made, leaf, tf.concat([said, probs, step.prior_logits], axis=1)
            ),
            above=plain_rows.written(
                tables.above, leaf, tf.concat([walk.parent[:, None], nearest], axis=1)
            ),
            stats=tf.add(tables.stats, [1.0, 0.0, 0.0]),
            embeddings=tf.nest.map_structure(
                lambda whole, rows: plain_rows.written(whole, leaf, rows),
                tables.embeddings,
                embedding,
            ),
        )
        return tables, leaf

    def _child(self, tables, walk):
        """The nodes that the walks come to, -1 where they are new: float32 [B]."""
        column = EDGES + 2 * self._num_actions + walk.action
        return tf.gather_nd(tables.live, tf.stack([walk.parent, column], axis=1))

    def _backed_up(self, tables, walk, leaf):
        """Tables after the backup of leaves [B]; entries of the ways stand leaf first, tree by
        tree.
        """
        way = tf.concat([leaf[:, None], walk.way], axis=1)
        places = tf.where(way >= 0)  # [E, 2]
        owner, is_leaf = places[:, 0], tf.equal(places[:, 1], 0)
        rows = tf.gather_nd(way, places)  # [E]
        below = tf.concat([rows[:1], rows[:-1]], axis=0)
        live, made = tf.gather(tables.live, rows), tf.gather(tables.made, rows)
        _, slot, _, reward, discount = tf.unstack(tf.gather(tables.made, below)[:, :PRIORS], axis=1)
        value, count = live[:, VALUE], live[:, VISITS]
        returns = plain_rows.returns(is_leaf, value, reward, discount)
        mean = tf.where(is_leaf, value, (value * count + returns) / (count + 1.0))
        count = tf.where(is_leaf, count, count + 1.0)
        qvalue = reward + discount * plain_rows.shifted(mean)
        taken = tf.where(is_leaf, -1, tf.cast(slot, tf.int32))
        edges = self._taken(live, taken, qvalue, tf.cast(below - self._of(owner), tf.float32))
        stats = plain_rows.with_range(tables.stats, is_leaf, owner, qvalue)
        at = self._at(made, mean, count, *edges)
        last = tf.cumsum(tf.reduce_sum(tf.cast(way >= 0, tf.int32), axis=1)) - 1  # the roots
        action, score = self._choices(at, stats, owner, last, tf.range(self._num_trees))
        child = tf.gather(edges[2], action, axis=1, batch_dims=1)
        own = self._own_plans(tables, owner, rows, action, child)
        terminal = is_leaf & (score == -float("inf"))
        into = walk.parent * self._num_actions + walk.action
        own = tf.where(terminal, tf.gather(into, owner), own)
        plan = plain_rows.carried(own, is_leaf | (action != taken))
        written = [tf.stack([count, mean, tf.bitcast(plan, tf.float32)], axis=1), *edges]
        live = plain_rows.written(tables.live, rows, tf.concat(written, axis=1))
        after = tables._replace(live=live, stats=stats)
        if self._rule.qtransform.kind != "tree_min_max":
            return after
        grown = tf.reduce_any(stats[:, 1:] != tables.stats[:, 1:], axis=1)
        return self._plan_anew(after, tf.where(grown)[:, 0])

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
        scores = mcts_reference.interior_scores(
            at, self._qscore(stats, owner), _of_trees(self._rule, owner)
        )
        if self._rule.kind == "gumbel":
            of_roots = mcts_reference.root_scores(
                AtNodes(*(tf.gather(field, roots) for field in at)),
                self._qscore(stats, trees),
                _of_trees(self._rule, trees),
            )
            scores = tf.tensor_scatter_nd_update(scores, roots[:, None], of_roots)
        score, action = tf.math.top_k(scores, 1)  # the first of the greatest; one op for both
        return action[:, 0], score[:, 0]

    def _qscore(self, stats, owner):
        qtransform = _of_trees(self._rule, owner).qtransform
        if qtransform.kind == "tree_min_max":
            stats = tf.gather(stats, owner)
        return lambda at: qtransforms.transform(qtransform, at, stats)

    def _own_plans(self, tables, owner, rows, action, child):
        """Where walks end that leave the nodes by these actions, as the tables have it."""
        at = self._of(owner) + tf.cast(tf.maximum(child, 0.0), tf.int32)
        plan = tf.bitcast(tf.gather_nd(tables.live, plain_rows.cells(at, PLAN)), tf.int32)
        return tf.where(child < 0, rows * self._num_actions + action, plan)

    def _plan_anew(self, tables, trees):
        """Tables in which all nodes of some trees have their plans: int [S]."""
        used = plain_rows.greatest(tables.stats)
        node = tf.tile(tf.range(used), [tf.size(trees)])  # [S · used]
        owner = tf.repeat(trees, used)
        rows = self._of(owner) + node
        live, made = tf.gather(tables.live, rows), tf.gather(tables.made, rows)
        edges = self._thirds(live)
        at = self._at(made, live[:, VALUE], live[:, VISITS], *edges)
        roots = tf.range(tf.size(trees)) * used
        action, score = self._choices(at, tables.stats, owner, roots, trees)
        child = tf.cast(tf.gather(edges[2], action, axis=1, batch_dims=1), tf.int32)
        # The edge at which a walk ends that goes no further than here.
        edge = rows * self._num_actions + action
        parent, slot = (tf.cast(made[:, field], tf.int32) for field in (PARENT, SLOT))
        into = (self._of(owner) + parent) * self._num_actions + slot
        edge = tf.where((score == -float("inf")) & (parent >= 0), into, edge)
        place = tf.range(tf.size(rows))
        ahead = tf.where((child > node) & (child < used), place - node + child, place)
        plan = tf.bitcast(tf.gather(edge, plain_rows.ends(ahead)), tf.float32)
        live = tf.concat([live[:, :PLAN], plan[:, None], live[:, EDGES:]], axis=1)
        return tables._replace(live=plain_rows.written(tables.live, rows, live))

    def _of(self, owner):
        """The root's row of each tree: int [n] to int32 [n]."""
        return tf.gather(self._roots, owner)

    def _thirds(self, live):
        first, second = EDGES + self._num_actions, EDGES + 2 * self._num_actions
        return live[:, EDGES:first], live[:, first:second], live[:, second:]

    def _halves(self, made):
        middle = PRIORS + self._num_actions
        return made[:, PRIORS:middle], made[:, middle:]


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
