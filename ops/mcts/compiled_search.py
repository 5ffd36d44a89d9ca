"""The twin's search as XLA compiles it best: shapes are static, and a level of a backup is cheap.

A walk is read from the root's plan. A backup goes up level by level, all trees at once, and reads
and writes each node on the way once: XLA makes of a level some loops over B rows without an
executor between them, and of a write one in place, since each write follows, by what it is computed
from, all reads of what was there before. Trees whose backup has come to the root wait there; the
roots are last, in one level for all.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ops.mcts import mcts_reference, planned_search, table_rows
from ops.mcts import tree as t
from ops.mcts.planned_search import (
    DISCOUNT,
    EDGES,
    PARENT,
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


class _Backup(NamedTuple):
    """How far a backup has come.

    live, stats: as in Tables.
    row: int32 [B], the nodes that are next.
    below: int32 [B], the nodes last written, and what the next ones need of them: their mean value,
      plan, and returns, the edge into them, its reward and discount.
    """

    live: tf.Tensor
    stats: tf.Tensor
    row: tf.Tensor
    below: tf.Tensor
    value: tf.Tensor
    plan: tf.Tensor
    returns: tf.Tensor
    slot: tf.Tensor
    reward: tf.Tensor
    discount: tf.Tensor


class CompiledSearch(PlannedSearch):
    """See above."""

    @staticmethod
    def serves(rule):
        """Not where the range of Q in a tree, or a limit of depth, plays a part in choices: there a
        plan holds only for a while, or for some of the walks.
        """
        limit = rule.max_depth
        unlimited = not tf.is_tensor(limit) and limit >= UNLIMITED_DEPTH
        return (
            planned_search.is_planned(rule) and unlimited and rule.qtransform.kind != "tree_min_max"
        )

    def start(self):  # noqa: D102
        live, made = self._rows_of_trees(self._num_nodes)
        embeddings = tf.nest.map_structure(table_rows.flat, self._tree.embeddings)
        tables = Tables(live, made, (), self._tree.stats, embeddings)
        # To plan for all rows costs as much as a short search; most often there are roots alone.
        trees = tf.range(self._num_trees)
        live = tf.cond(
            table_rows.greatest(tables.stats) > 1,
            lambda: self._plan_anew(tables, trees, self._num_nodes),
            lambda: self._plan_anew(tables, trees, 1),
        )
        return tables._replace(live=live)

    def simulate(self, tables):  # noqa: D102
        plan = tf.gather_nd(tables.live, table_rows.cells(self._roots, PLAN))
        edge = tf.bitcast(plan, tf.int32)
        walk = Walk(action=edge % self._num_actions, parent=edge // self._num_actions)
        return walk, tf.nest.map_structure(lambda x: tf.gather(x, walk.parent), tables.embeddings)

    def _backed_up(self, tables, walk, leaf):
        made = tf.gather(tables.made, leaf)
        backup = _Backup(
            tables.live,
            tables.stats,
            leaf,
            below=leaf,
            value=made[:, RAW_VALUE],
            plan=walk.parent * self._num_actions + walk.action,
            returns=made[:, RAW_VALUE],
            slot=tf.fill(tf.shape(leaf), -1),
            reward=tf.zeros_like(made[:, REWARD]),
            discount=tf.ones_like(made[:, DISCOUNT]),
        )
        backup = self._at_leaves(backup, made)
        backup = tf.while_loop(
            lambda backup: tf.reduce_any(backup.row != self._roots),
            lambda backup: (self._level(tables.made, backup, mcts_reference.interior_scores),),
            (backup,),
        )[0]
        backup = self._level(tables.made, backup, mcts_reference.root_scores)
        return tables._replace(live=backup.live, stats=backup.stats)

    def _at_leaves(self, backup, made):
        """Counts the visits of the leaves; a terminal one has the plan that led to it."""
        live = tf.gather(backup.live, backup.row)
        visits = live[:, VISITS] + 1.0
        edges = self._thirds(live)
        at = self._at(made, backup.value, visits, *edges)
        plan, score = self._plans(at, edges, backup, mcts_reference.interior_scores)
        plan = tf.where(score == -float("inf"), backup.plan, plan)
        return self._written(backup, made, visits, backup.value, plan, live[:, EDGES:])

    def _level(self, table, backup, scores):
        """The backup at the nodes that are next; trees that wait at their roots stay as they are,
        but for the last level, that of the roots.
        """
        live, made = tf.gather(backup.live, backup.row), tf.gather(table, backup.row)
        of_roots = scores is mcts_reference.root_scores
        active = tf.fill(tf.shape(backup.row), True) if of_roots else backup.row != self._roots
        returns = backup.reward + backup.discount * backup.returns
        qvalue = backup.reward + backup.discount * backup.value
        count = live[:, VISITS]
        mean = (live[:, VALUE] * count + returns) / (count + 1.0)
        child = tf.cast(backup.below - self._roots, tf.float32)
        edges = self._taken(live, backup.slot, qvalue, child)
        at = self._at(made, mean, count + 1.0, *edges)
        plan, _ = self._plans(at, edges, backup, scores)
        low = tf.minimum(backup.stats[:, t.MIN_QVALUE], qvalue)
        high = tf.maximum(backup.stats[:, t.MAX_QVALUE], qvalue)
        stats = tf.stack([backup.stats[:, t.NEXT_NODE], low, high], axis=1)
        after = backup._replace(stats=stats, returns=returns)
        edges = tf.concat(edges, axis=1)
        after = self._written(after, made, count + 1.0, mean, plan, edges, (active, live))
        return _Backup(
            after.live,
            *(_where(active, new, old) for new, old in zip(after[1:], backup[1:], strict=True)),
        )

    def _plans(self, at, edges, backup, scores):
        """The plans at the nodes that are next, and the scores of what they choose: [B] each."""
        trees = tf.range(self._num_trees)
        action, score = table_rows.best(self._scores(at, backup.stats, trees, scores))
        child = tf.gather(edges[2], action, axis=1, batch_dims=1)
        own = self._own_plans(backup.live, self._roots, backup.row, action, child)
        return tf.where(action == backup.slot, backup.plan, own), score

    def _written(self, backup, made, visits, value, plan, edges, kept=None):
        """The backup one level further up, with these rows written; where not `kept[0]` [B], they
        stay as `kept[1]`.
        """
        counts = tf.stack([visits, value, tf.bitcast(plan, tf.float32)], axis=1)
        rows = tf.concat([counts, edges], axis=1)
        if kept is not None:
            rows = tf.where(kept[0][:, None], rows, kept[1])
        # A parent is older than its child; a tree that says otherwise must not loop for ever.
        older = tf.minimum(tf.cast(made[:, PARENT], tf.int32), backup.row - self._roots - 1)
        return backup._replace(
            live=table_rows.written(backup.live, backup.row, rows),
            row=self._roots + tf.maximum(older, 0),
            below=backup.row,
            value=value,
            plan=plan,
            slot=tf.cast(made[:, SLOT], tf.int32),
            reward=made[:, REWARD],
            discount=made[:, DISCOUNT],
        )


def _where(active, new, old):
    return tf.where(active[:, None] if new.shape.rank > 1 else active, new, old)
