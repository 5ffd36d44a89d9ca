"""The twin's search as TensorFlow's executor runs it fastest: no loop over the levels of a walk.

Whatever an op does, the executor takes some microseconds for it, and a walk level by level is many
ops. So a simulation works on all nodes of all its walks at once:

- To walk is to read the root's plan (`planned_search`).
- Each node keeps its nearest ancestors, so the way back to the root is known after few reads.
- The returns on the way back are a linear recurrence, r + γ · (the return below), which one op
  solves.
- After the backup all nodes of the way choose anew.

Where the range of Q in the tree plays a part in choices, a tree whose range has grown plans anew as
a whole.

E is the number of the nodes on the walks of one simulation, their leaves among them. Tables are
buffers of the search's own that `InplaceUpdate` writes to; each write follows, by what it is
computed from, all reads of what was there before.
"""

from __future__ import annotations

import tensorflow as tf

from ops.mcts import planned_search, table_rows
from ops.mcts import tree as t
from ops.mcts.planned_search import (
    DISCOUNT,
    PLAN,
    RAW_VALUE,
    REWARD,
    SLOT,
    VALUE,
    VISITS,
    PlannedSearch,
    Tables,
    Walk,
)
from ops.mcts.rules import UNLIMITED_DEPTH

ABOVE = 24  # how many ancestors a node keeps


class PlainSearch(PlannedSearch):
    """See above. `Tables.above` is int32 [R, 24], the rows of the nearest ancestors, -1 above the
    root. Of the trees' embeddings [B, M', ...] only those of nodes that are made need be there.
    """

    serves = staticmethod(planned_search.is_planned)

    def start(self):  # noqa: D102
        tree, used = self._tree, table_rows.greatest(self._tree.stats)
        rows = tf.reshape(self._roots[:, None] + tf.range(used), [-1])
        live, made = self._rows_of_trees(used)
        tables = Tables(
            live=self._table(rows, live),
            made=self._table(rows, made),
            above=self._table(rows, table_rows.flat(self._ancestors(used))),
            stats=tree.stats,
            # The largest table by far, of which only rows are read that were written.
            embeddings=tf.nest.map_structure(
                lambda whole: self._table(rows, table_rows.flat(whole[:, :used]), init=False),
                tree.embeddings,
            ),
        )
        return tables._replace(live=self._plan_anew(tables, tf.range(self._num_trees), used))

    def simulate(self, tables):  # noqa: D102
        plan = tf.gather_nd(tables.live, table_rows.cells(self._roots, PLAN))
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

    def _table(self, rows, values, init=True):
        """A new buffer [R, ...] with values [n, ...] in some rows; with `init` zeros elsewhere."""
        size = tf.concat([[self._num_trees * self._num_nodes], tf.shape(values)[1:]], axis=0)
        empty = tf.raw_ops.Empty(shape=size, dtype=values.dtype, init=init)
        return table_rows.written(tf.ensure_shape(empty, [None, *values.shape[1:]]), rows, values)

    def _ancestors(self, used):
        """Rows of the ancestors of each tree's first nodes: int32 [B, used, ABOVE]."""
        index = tf.range(used)
        # A parent is older than its child; a tree that says otherwise must not loop for ever.
        parent = tf.minimum(tf.cast(self._tree.nodes[:, :used, t.PARENT], tf.int32), index - 1)
        above = tf.maximum(parent, -1)[:, :, None]
        while above.shape[2] < ABOVE:
            last = tf.maximum(above[:, :, -1], 0)
            above = tf.concat([above, tf.gather(above, last, axis=1, batch_dims=1)], axis=2)
        above = above[:, :, :ABOVE]
        return tf.where(above >= 0, above + self._roots[:, None, None], -1)

    def _within_limit(self, tables, walk):
        """The walks cut off where they have as many edges as the rule allows."""
        limit = self._rule.max_depth
        if not tf.is_tensor(limit) and limit >= UNLIMITED_DEPTH:
            return walk
        length = tf.reduce_sum(tf.cast(walk.way >= 0, tf.int32), axis=1)
        cut = tf.maximum(length - limit, 0)
        leaf = tf.gather(walk.way, tf.maximum(cut - 1, 0), batch_dims=1)
        slot = tf.cast(tf.gather_nd(tables.made, table_rows.cells(leaf, SLOT)), tf.int32)
        kept = tf.range(tf.shape(walk.way)[1]) >= cut[:, None]
        return Walk(
            action=tf.where(cut > 0, slot, walk.action),
            parent=tf.gather(walk.way, cut, batch_dims=1),
            way=tf.where(kept, walk.way, -1),
        )

    def _expanded(self, tables, walk, step, embedding):
        tables, leaf = super()._expanded(tables, walk, step, embedding)
        nearest = tf.concat([walk.parent[:, None], tf.gather(tables.above, walk.parent)], axis=1)
        above = table_rows.written(tables.above, leaf, nearest[:, :-1])
        return tables._replace(above=above), leaf

    def _backed_up(self, tables, walk, leaf):
        """Entries of the ways stand leaf first, tree by tree."""
        way = tf.concat([leaf[:, None], walk.way], axis=1)
        places = tf.where(way >= 0)  # [E, 2]
        owner, is_leaf = places[:, 0], tf.equal(places[:, 1], 0)
        rows, roots = tf.gather_nd(way, places), tf.gather(self._roots, owner)  # [E]
        live, made = tf.gather(tables.live, rows), tf.gather(tables.made, rows)
        # The edge from each entry to the one below it; of leaves it means nothing.
        below = tf.cast(table_rows.shifted(rows) - roots, tf.float32)
        slot, reward, discount = self._edges_below(made)
        value, count = live[:, VALUE], live[:, VISITS]
        returns = table_rows.returns(is_leaf, made[:, RAW_VALUE], reward, discount)
        mean = tf.where(is_leaf, returns, (value * count + returns) / (count + 1.0))
        count += 1.0
        qvalue = reward + discount * table_rows.shifted(mean)
        taken = tf.where(is_leaf, -1, slot)
        edges = self._taken(live, taken, qvalue, below)
        stats = table_rows.with_range(tables.stats, is_leaf, owner, qvalue)
        at = self._at(made, mean, count, *edges)
        last = tf.cumsum(tf.reduce_sum(tf.cast(way >= 0, tf.int32), axis=1)) - 1  # the roots
        action, score = self._choices(at, stats, owner, last, tf.range(self._num_trees))
        child = tf.gather(edges[2], action, axis=1, batch_dims=1)
        own = self._own_plans(tables.live, roots, rows, action, child)
        terminal = is_leaf & (score == -float("inf"))
        into = walk.parent * self._num_actions + walk.action
        own = tf.where(terminal, tf.gather(into, owner), own)
        plan = table_rows.carried(own, is_leaf | (action != taken))
        written = [tf.stack([count, mean, tf.bitcast(plan, tf.float32)], axis=1), *edges]
        live = table_rows.written(tables.live, rows, tf.concat(written, axis=1))
        after = tables._replace(live=live, stats=stats)
        if self._rule.qtransform.kind != "tree_min_max":
            return after
        grown = tf.reduce_any(stats[:, 1:] != tables.stats[:, 1:], axis=1)
        trees, used = tf.where(grown)[:, 0], table_rows.greatest(stats)
        return after._replace(live=self._plan_anew(after, trees, used))

    def _edges_below(self, made):
        """Slot, reward and discount [E] of the edge into the entry below each."""
        into = table_rows.shifted(made[:, SLOT : DISCOUNT + 1])
        slot, reward, discount = (into[:, column - SLOT] for column in (SLOT, REWARD, DISCOUNT))
        return tf.cast(slot, tf.int32), reward, discount
