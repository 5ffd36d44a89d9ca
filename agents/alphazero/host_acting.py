"""AlphaZero's policy for games whose rules only the host knows: chess, shogi, hex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from agents.alphazero.acting import AlphaZeroPolicy
from agents.boards.observations import split
from agents.boards.simulators import GamePosition, GameSimulator
from agents.searching.search import q_transform
from ops import mcts
from ops.mcts.policies import sampled_action


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
        self._positions: list[dict[int, GamePosition]] = [{} for _ in range(batch_size)]
        self._actions: list[dict[int, np.ndarray]] = [{} for _ in range(batch_size)]

    def played(self, row: int, node: int, column: int) -> GamePosition:
        """The position behind an edge; behind the end of a game nothing follows."""
        position = self._positions[row][node]
        return position if position.over else position.after(int(self._actions[row][node][column]))

    def keep(self, row: int, node: int, position: GamePosition, columns: np.ndarray) -> None:
        """Notes what a node is: its position and its columns' actions."""
        self._positions[row][node], self._actions[row][node] = position, columns

    def columns_of(self, position: GamePosition, logits: np.ndarray) -> np.ndarray:
        """The actions of the columns, by the network's logits [A]; none where a game is over."""
        legal = np.asarray(position.legal, np.int64)
        if len(legal) > self._columns:
            legal = np.sort(legal[np.argsort(-logits[legal], kind="stable")[: self._columns]])
        return legal

    def logits(self, columns: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Prior logits [K] of the columns, −∞ where there is no action."""
        prior = np.full(self._columns, -np.inf, np.float32)
        prior[: len(columns)] = logits[columns]
        return prior

    def by_action(self, weights: np.ndarray) -> np.ndarray:
        """Numbers of the roots' columns [B, K] as those of the actions [B, A]."""
        result = np.zeros((len(weights), self._num_actions), np.float32)
        for row, actions in enumerate(self._actions):
            columns = actions[0]
            result[row, columns] = weights[row, : len(columns)]
        return result


class HostAlphaZeroPolicy(AlphaZeroPolicy):
    """Searches on the host: the tree and the rules there, one call of the network for all rows.

    It acts in the environments whose simulators it has, one a row, and nowhere else.
    """

    def __init__(self, *arguments: Any, simulators: Sequence[GameSimulator]) -> None:
        super().__init__(*arguments)
        self.options = {}
        self._simulators = simulators
        self._columns = min(self._network.num_actions, self._config.max_legal)
        self._predict = tf.function(lambda planes: self._network(planes), reduce_retracing=True)

    def step(self, observation, state, seed):
        """See `TreePolicy.step`; runs eagerly."""
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        found = self.search(observation, state, seeds[0], self.num_simulations)
        return self.moved(observation, state, found, seeds[1])

    def searched(self, observation, state):
        """See `SearchingPolicy.searched`: there is no such function in a graph."""
        raise NotImplementedError("a search on the host has no recurrent_fn")

    def search(self, observation, state, seed, room, simulations=None, explore=None):
        """See `TreePolicy.search`; the weights are by action, the tree by column."""
        config = self._config
        explore = not self._evaluation if explore is None else explore
        positions = [simulator.position() for simulator in self._simulators]
        seen, _ = split(observation)
        if len(positions) != len(seen):
            raise ValueError(f"got {len(seen)} rows, expected {len(positions)}, one a simulator")
        nodes = Nodes(len(positions), self._network.num_actions, self._columns)
        tree = mcts.Tree(
            self._root(nodes, positions, np.asarray(seen)),
            room,
            qtransform=q_transform(config),
            max_depth=config.max_depth,
            dirichlet_fraction=config.dirichlet_fraction if explore else 0.0,
            dirichlet_alpha=config.dirichlet_alpha,
            pb_c_init=config.pb_c_init,
            pb_c_base=config.pb_c_base,
            seed=seed,
            backend=config.search_backend,
        )
        left = room
        while left > 0:
            left -= self._grow(tree, nodes, min(left, config.walks))
        weights = tf.constant(nodes.by_action(tree.summary().visit_probs))
        return mcts.PolicyOutput(sampled_action(weights, 0.0, seed), weights, tree)

    def _root(
        self, nodes: Nodes, positions: Sequence[GamePosition], planes: np.ndarray
    ) -> mcts.RootFnOutput:
        logits, value = self._ask(planes)
        prior = np.empty((len(positions), self._columns), np.float32)
        for row, position in enumerate(positions):
            actions = nodes.columns_of(position, logits[row])
            # A row behind a game's end may do anything; what is found there is not used.
            actions = np.zeros(1, np.int64) if position.over else actions
            nodes.keep(row, 0, position, actions)
            prior[row] = nodes.logits(actions, logits[row])
        return mcts.RootFnOutput(prior, value, None)

    def _grow(self, tree: mcts.Tree, nodes: Nodes, walks: int) -> int:
        """Sends off `walks` walks of each tree, and brings them back."""
        parents, columns = tree.simulate(walks)
        rows = np.repeat(np.arange(len(parents)), walks)
        edges = zip(rows, parents.ravel(), columns.ravel(), strict=True)
        positions = [nodes.played(*edge) for edge in edges]
        logits, value = self._ask(np.stack([position.observe() for position in positions]))
        over = np.array([position.over for position in positions])
        reward = np.array([position.reward for position in positions], np.float32)
        discount = np.where(over, 0.0, -1.0).astype(np.float32)
        kept = [nodes.columns_of(*pair) for pair in zip(positions, logits, strict=True)]
        prior = np.stack([nodes.logits(*pair) for pair in zip(kept, logits, strict=True)])
        shape = parents.shape
        answered = tree.expand(
            reward.reshape(shape),
            discount.reshape(shape),
            prior.reshape(*shape, -1),
            value.reshape(shape),
        )
        for row, node, position, actions in zip(
            rows, answered.ravel(), positions, kept, strict=True
        ):
            nodes.keep(row, int(node), position, actions)
        tree.backward()
        return walks

    def _ask(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        prediction = self._predict(tf.constant(planes))
        return prediction.prior_logits.numpy(), prediction.value.numpy()
