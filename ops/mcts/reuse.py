"""Carrying a tree over to the next step: the chosen child becomes the root, its subtree stays."""

from __future__ import annotations

import tensorflow as tf

from ops.mcts import arguments, checks
from ops.mcts import tree as t
from ops.mcts.tree import SearchTree


def reroot(
    tree: SearchTree, action: tf.Tensor, num_simulations: int, max_kept: int | None = None
) -> SearchTree:
    """The tree whose root is the child behind `action`, with room for `num_simulations` more nodes.

    Nodes keep their order and are numbered from 0 without gaps. Visits, values and the range of Q
    are carried over. Pass the result to `muzero_policy` or `alphazero_policy` as `search_tree`.

    Args:
      tree: what a search returned.
      action: integers [B], each an action that was visited at the root.
      num_simulations: how many nodes the next search may add.
      max_kept: how many nodes are kept, the newest being dropped; num_simulations + 1 if None, so
        that shapes do not grow from step to step. An edge to a dropped node keeps its statistics
        until it is taken again.

    Returns:
      A tree of max_kept + num_simulations nodes, for either backend.

    Raises:
      tf.errors.InvalidArgumentError: where the action was not visited, or names the argument that
        is wrong.
    """
    tree = checks.search_tree(tree)
    num_simulations = checks.room_for(num_simulations)
    max_kept = num_simulations + 1 if max_kept is None else max_kept
    max_kept = arguments.integer("max_kept", max_kept, 1, t.MAX_NODES - num_simulations)
    root = _visited_child(tree, checks.actions_of("action", action, tree))
    kept = _descendants(tree, root)
    source, count, renumber = _numbering(kept, max_kept)
    size = max_kept + num_simulations
    nodes = _rows(tree.nodes, source, count, size)
    edges = _rows(tree.edges, source, count, size)
    stats = tf.concat([tf.cast(count, tf.float32)[:, None], tree.stats[:, 1:]], axis=-1)
    return SearchTree(
        nodes=_renumbered_nodes(nodes, renumber),
        edges=_renumbered_edges(edges, renumber),
        stats=stats,
        embeddings=tf.nest.map_structure(
            lambda whole: _rows(whole, source, count, size), tree.embeddings
        ),
    )


def continued(tree: SearchTree, prior_logits: tf.Tensor, backend: str) -> SearchTree:
    """The tree as a search on `backend` takes it up, with that prior at its root [B, A]."""
    return with_root_prior(_by_action(tree) if backend == "tensorflow" else tree, prior_logits)


def _by_action(tree: SearchTree) -> SearchTree:
    """The tree as the twin keeps it, slot = action; the native kernels take it either way."""
    rows = t.edge_rows(*tree[:2], dict(enumerate(t.MISSING)))
    action = tf.maximum(tree.action_from_parent, 0)
    place = t.place(action, tf.zeros_like(action) + tree.num_actions)[:, :, None]
    nodes = tf.concat([tree.nodes[:, :, : t.PLACE], place, tree.nodes[:, :, t.VISITS :]], axis=-1)
    return tree._replace(nodes=nodes, edges=tf.stack(rows, axis=2))


def with_root_prior(tree: SearchTree, prior_logits: tf.Tensor) -> SearchTree:
    """The tree with another prior at its root: prior_logits [B, A], illegal actions masked."""
    rows, slot = tree.edges[:, t.ROOT_INDEX], tf.range(tree.num_actions)
    action = tf.cast(rows[:, t.EDGE_ACTION], tf.int32)
    rows = t.with_prior(rows, tf.gather(prior_logits, action, axis=1, batch_dims=1))
    expanded = slot < t.expanded_of(tree.nodes[:, t.ROOT_INDEX])[:, None]
    first = tf.cast(slot - tree.num_actions - 1, tf.float32)
    for row, sign in ((t.EDGE_ACTION, 1.0), (t.EDGE_PROB, -1.0)):
        # The unexpanded edges by prior, then by action, behind the expanded ones as they are.
        order = tf.argsort(tf.where(expanded, first, sign * rows[:, row]), stable=True)
        rows = tf.gather(rows, tf.tile(order[:, None], [1, t.EDGE_ROWS, 1]), axis=2, batch_dims=2)
    edges = tf.concat([rows[:, None], tree.edges[:, 1:]], axis=1)
    return tree._replace(nodes=_without_plans(tree.nodes), edges=edges)


def _without_plans(nodes: tf.Tensor) -> tf.Tensor:
    """The nodes without what the last search would have done next at each: [B, M, 8]."""
    unknown = tf.fill(tf.shape(nodes[:, :, :1]), t.UNKNOWN)
    return tf.concat([nodes[:, :, : t.NEXT], unknown], axis=-1)


def _visited_child(tree: SearchTree, action: tf.Tensor) -> tf.Tensor:
    inside = (action >= 0) & (action < tree.num_actions)
    taken = tf.where(inside, action, 0)
    child, visits = (
        tf.gather(row, taken, batch_dims=1) for row in tree.root_rows(t.EDGE_CHILD, t.EDGE_VISITS)
    )
    good = tf.reduce_all(inside & (child > 0) & (visits > 0))
    check = tf.debugging.Assert(good, ["action was not visited at the root", action])
    with tf.control_dependencies([check] if check is not None else []):
        return tf.cast(tf.maximum(child, 0.0), tf.int32)


def _descendants(tree: SearchTree, root: tf.Tensor) -> tf.Tensor:
    """Which nodes hang under `root`, itself among them: bool [B, M]. Takes log M rounds.

    Each round doubles how far up every node looks: `above` is the ancestor 2^k steps up.
    """
    parents = tf.maximum(tree.parents, 0)
    made = tree.node_visits > 0
    index = tf.range(tree.num_nodes)[None]
    kept = (index == root[:, None]) & made
    above = tf.where(kept, index, parents)

    def step(kept, above):
        kept |= tf.gather(kept, above, axis=1, batch_dims=1) & made
        return kept, tf.gather(above, above, axis=1, batch_dims=1)

    rounds = max(int(tree.num_nodes - 1).bit_length(), 1)
    for _ in range(rounds):
        kept, above = step(kept, above)
    return kept


def _numbering(kept: tf.Tensor, max_kept: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Each new node's origin [B, max_kept], their number [B], and old to new [B, M]."""
    rank = tf.cumsum(tf.cast(kept, tf.int32), axis=1) - 1
    kept &= rank < max_kept
    source = tf.argsort(tf.cast(~kept, tf.int32), axis=1, stable=True)[:, :max_kept]
    short = max_kept - tf.shape(source)[1]
    source = tf.pad(source, [[0, 0], [0, tf.maximum(short, 0)]])
    return source, tf.reduce_sum(tf.cast(kept, tf.int32), axis=1), tf.where(kept, rank, -1)


def _rows(whole: tf.Tensor, source: tf.Tensor, count: tf.Tensor, size: int) -> tf.Tensor:
    """The kept rows of [B, M, ...], zeros behind them: [B, size, ...]."""
    rows = tf.gather(whole, source, axis=1, batch_dims=1)
    used = tf.sequence_mask(count, tf.shape(source)[1])
    used = tf.reshape(used, tf.concat([tf.shape(used), [1] * (rows.shape.rank - 2)], axis=0))
    rows = tf.where(used, rows, tf.zeros([], rows.dtype))
    rest = [[0, 0]] * (rows.shape.rank - 2)
    rows = tf.pad(rows, [[0, 0], [0, size - tf.shape(source)[1]], *rest])
    return tf.ensure_shape(rows, [whole.shape[0], size, *whole.shape[2:]])


def _renumbered(values: tf.Tensor, renumber: tf.Tensor) -> tf.Tensor:
    """Node indices [B, ...] stored as floats, put through `renumber` [B, M]; -1 stays."""
    old = tf.cast(values, tf.int32)
    inside = (old >= 0) & (old < tf.shape(renumber)[1])
    new = tf.gather(renumber, tf.where(inside, old, 0), axis=1, batch_dims=1)
    return tf.cast(tf.where(inside, new, -1), tf.float32)


def _renumbered_nodes(nodes: tf.Tensor, renumber: tf.Tensor) -> tf.Tensor:
    parent = _renumbered(nodes[:, :, t.PARENT], renumber)[:, :, None]
    nodes = _without_plans(tf.concat([parent, nodes[:, :, t.PLACE :]], axis=-1))
    root = nodes[:, :1]
    expanded = t.expanded_of(root)
    place = t.place(tf.zeros_like(expanded), expanded)[:, :, None]
    minus = -tf.ones_like(place)
    root = tf.concat([minus, place, root[:, :, t.VISITS :]], axis=-1)
    return tf.concat([root, nodes[:, 1:]], axis=1)


def _renumbered_edges(edges: tf.Tensor, renumber: tf.Tensor) -> tf.Tensor:
    child = _renumbered(edges[:, :, t.EDGE_CHILD], renumber)[:, :, None]
    return tf.concat([edges[:, :, : t.EDGE_CHILD], child, edges[:, :, t.EDGE_CHILD + 1 :]], axis=2)
