"""What a search tree says of the moves at its root, and of what follows each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ops.mcts import tree as t


class Variation(NamedTuple):
    """One continuation, the mover's action first.

    Attributes:
      actions: the most visited ones, by turns.
      value: Q of the first, -1 to 1, for whoever is to move.
      visits: of the first.
    """

    actions: list[int]
    value: float
    visits: int


def variations(
    nodes: np.ndarray, edges: np.ndarray, action: Callable[[int, int], int], longest: int
) -> list[Variation]:
    """The visited actions of a root, the most visited first, each with what follows.

    Args:
      nodes, edges: of a tree, [M, 8] and [M, 6, K], see `ops.mcts.SearchTree`.
      action: node, column → the game's action.
      longest: number of actions of each at most.
    """
    found = []
    for edge in _visited(nodes, edges, t.ROOT_INDEX).T:
        actions = [action(t.ROOT_INDEX, int(edge[t.EDGE_ACTION]))]
        at = int(edge[t.EDGE_CHILD])
        while at > 0 and len(actions) < longest:
            following = _visited(nodes, edges, at)
            if not following.size:
                break
            actions.append(action(at, int(following[t.EDGE_ACTION, 0])))
            at = int(following[t.EDGE_CHILD, 0])
        visits = round(float(edge[t.EDGE_VISITS]))
        found.append(Variation(actions, float(edge[t.EDGE_QVALUE]), visits))
    return found


def _visited(nodes: np.ndarray, edges: np.ndarray, node: int) -> np.ndarray:
    """The edges that were taken at a node, the most visited first: [6, n]."""
    expanded = int(nodes[node, t.PLACE].view(np.int32)) >> t.PLACE_BITS & t.MAX_ACTIONS
    taken = edges[node, :, :expanded]
    taken = taken[:, taken[t.EDGE_VISITS] > 0]
    return taken[:, np.lexsort((taken[t.EDGE_ACTION], -taken[t.EDGE_VISITS]))]
