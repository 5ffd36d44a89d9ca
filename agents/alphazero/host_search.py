"""One search on the host: trees whose nodes are positions of a game that only the host knows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from agents.alphazero.evaluations import Evaluation
from agents.boards.simulators import GamePosition
from agents.searching.config import SearchingConfig
from agents.searching.search import host_tree
from ops import mcts


class Nodes:
    """The positions behind the nodes of B trees, and which action is which column of a tree.

    A tree has a column for each legal action of a node, not for each of the game's: of thousands
    of actions a position allows some dozens. The columns are in the order of the actions, or,
    where there are more than columns, those of the greatest prior.

    Args:
      num_actions: A.
      columns: K, of a tree.
    """

    def __init__(self, batch_size: int, num_actions: int, columns: int) -> None:
        self._num_actions, self._columns = num_actions, columns
        self._kept: list[dict[int, tuple[GamePosition, np.ndarray]]] = [
            {} for _ in range(batch_size)
        ]

    def played(self, row: int, node: int, column: int) -> GamePosition:
        """The position behind an edge; behind the end of a game nothing follows."""
        position, actions = self._kept[row][node]
        return position if position.over else position.after(int(actions[column]))

    def keep(
        self,
        rows: Sequence[int],
        nodes: Sequence[int],
        positions: Sequence[GamePosition],
        said: Sequence[Evaluation],
    ) -> None:
        """Notes what nodes are: their positions and their columns' actions."""
        for row, node, position, evaluation in zip(rows, nodes, positions, said, strict=True):
            self._kept[row][node] = position, evaluation.actions

    def prior(self, said: Sequence[Evaluation]) -> np.ndarray:
        """Prior logits [n, K] of the columns, −∞ where there is no action."""
        prior = np.full((len(said), self._columns), -np.inf, np.float32)
        for row, evaluation in enumerate(said):
            prior[row, : len(evaluation.logits)] = evaluation.logits
        return prior

    def action(self, row: int, node: int, column: int) -> int:
        """Which action a column of a node is."""
        return int(self._kept[row][node][1][column])

    def by_action(self, weights: np.ndarray) -> np.ndarray:
        """Numbers of the roots' columns [B, K] as those of the actions [B, A]."""
        result = np.zeros((len(weights), self._num_actions), np.float32)
        for row, kept in enumerate(self._kept):
            position, columns = kept[0]
            result[row, columns] = weights[row, : len(columns)]
            result[row, 0] += position.over  # A row that is not used, but that is drawn from.
        return result

    def actions(self, columns: np.ndarray) -> np.ndarray:
        """The actions int32 [B] of one of each root's columns; 0 where a game is over."""
        actions = [kept[0][1] for kept in self._kept]
        pairs = zip(actions, columns, strict=True)
        return np.array([own[column] if len(own) else 0 for own, column in pairs], np.int32)


class HostSearch:
    """A search that grows; as far as it has come it has an answer.

    Args:
      config: of the search, and how many walks of each tree are under way at once.
      positions: B, where it begins.
      legal: bool [B, A], which of a position's legal actions it may begin with.
      columns: K, of a tree.
      room: simulations in all.
      judge: positions → what the network says of them; n at a time.
      timed: a name → a context, around the tree's and the rules' parts of the work.

    Attributes:
      done: simulations so far.
    """

    def __init__(
        self,
        config: SearchingConfig,
        positions: Sequence[GamePosition],
        legal: np.ndarray,
        columns: int,
        room: int,
        seed: tf.Tensor,
        explore: bool,
        judge: Callable[[Sequence[GamePosition]], list[Evaluation]],
        timed: Callable[[str], contextlib.AbstractContextManager[None]],
    ) -> None:
        self._walks, self._room, self.done = config.walks, room, 0
        self._judge, self._timed = judge, timed
        self._nodes = Nodes(len(positions), legal.shape[1], columns)
        self._tree = host_tree(config, self._root(positions, legal, columns), room, seed, explore)

    def grow(self) -> bool:
        """Sends off the walks that are under way at once, and brings them back.

        Returns:
          Whether there is room for more.
        """
        walks = min(self._walks, self._room - self.done)
        with self._timed("tree"):
            parents, columns = self._tree.simulate(walks)
        rows = np.repeat(np.arange(len(parents)), walks).tolist()
        edges = zip(rows, parents.ravel().tolist(), columns.ravel().tolist(), strict=True)
        with self._timed("rules"):
            positions = [self._nodes.played(*edge) for edge in edges]
        said = self._judge(positions)
        shape, over = parents.shape, np.array([position.over for position in positions])
        reward = np.array([position.reward for position in positions], np.float32).reshape(shape)
        discount = np.where(over, np.float32(0), np.float32(-1)).reshape(shape)
        value = np.array([each.value for each in said], np.float32).reshape(shape)
        prior = self._nodes.prior(said).reshape(*shape, -1)
        with self._timed("tree"):
            answered = self._tree.expand(reward, discount, prior, value)
            self._tree.backward()
        self._nodes.keep(rows, answered.ravel().tolist(), positions, said)
        self.done += walks
        return self.done < self._room

    def found(self) -> mcts.PolicyOutput:
        """The answer; action and weights are the game's, the tree is by column."""
        found = self._tree.decision()
        return found._replace(
            action=tf.constant(self._nodes.actions(found.action.numpy())),
            action_weights=tf.constant(self._nodes.by_action(found.action_weights.numpy())),
        )

    def explored(self) -> tuple[np.ndarray, np.ndarray, Callable[[int, int], int]]:
        """The first row's tree, `nodes` [M, 8] and `edges` [M, 6, K] (`ops.mcts.SearchTree`).

        With it comes a function: node, column → action.
        """
        nodes, edges = self._tree.arrays()
        return nodes[0], edges[0], lambda node, column: self._nodes.action(0, node, column)

    def _root(
        self, positions: Sequence[GamePosition], legal: np.ndarray, columns: int
    ) -> mcts.RootFnOutput:
        pairs = zip(self._judge(positions), legal, strict=True)
        said = [_of_these(evaluation, allowed, columns) for evaluation, allowed in pairs]
        self._nodes.keep(range(len(positions)), [0] * len(positions), positions, said)
        prior = self._nodes.prior(said)
        # A row behind a game's end may do anything; what is found there is not used.
        prior[[position.over for position in positions], 0] = 0.0
        values = np.array([evaluation.value for evaluation in said], np.float32)
        return mcts.RootFnOutput(prior, values, None)


def _of_these(said: Evaluation, allowed: np.ndarray, columns: int) -> Evaluation:
    """What is said of the actions that are allowed, bool [A]."""
    kept = allowed[said.actions]
    if kept.all():
        return said
    if kept.any():
        return said._replace(actions=said.actions[kept], logits=said.logits[kept])
    # None of those that the network likes: all are as good as another.
    actions = np.flatnonzero(allowed)[:columns]
    return said._replace(actions=actions, logits=np.zeros(len(actions), np.float32))
