"""AlphaZero's policy for games whose rules only the host knows: chess, shogi, hex."""

from __future__ import annotations

import collections
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from agents.alphazero.acting import AlphaZeroPolicy
from agents.alphazero.evaluations import Evaluation, Evaluations
from agents.boards.observations import split
from agents.boards.simulators import GamePosition, GameSimulator
from agents.policy import Seconds
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


class Watch:
    """What time goes on.

    Attributes:
      seconds: by part.
    """

    def __init__(self) -> None:
        self.seconds: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def timing(self, part: str) -> Iterator[None]:
        """Counts the time inside."""
        start = time.perf_counter()
        yield
        self.seconds[part] += time.perf_counter() - start


class HostAlphaZeroPolicy(AlphaZeroPolicy):
    """Searches on the host: the tree and the rules there, one call of the network for all rows.

    It acts in the environments whose simulators it has, one a row, and nowhere else.
    """

    def __init__(self, *arguments: Any, simulators: Sequence[GameSimulator]) -> None:
        super().__init__(*arguments)
        self.options = {}
        self._simulators = simulators
        config, network = self._config, self._network
        self._columns = min(network.num_actions, config.max_legal)
        self._predict = tf.function(lambda planes: network(planes), reduce_retracing=True)
        self._evaluations = Evaluations(network, self._columns, config.cached_positions)
        self._watch, self._moves = Watch(), 0

    def step(self, observation, state, seed):
        """See `TreePolicy.step`; runs eagerly."""
        with self._watch.timing("whole"):
            seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
            found = self.search(observation, state, seeds[0], self.num_simulations)
            self._moves += len(self._simulators)
            return self.moved(observation, state, found, seeds[1])

    def search(self, observation, state, seed, room, simulations=None, explore=None):
        """See `TreePolicy.search`; the weights are by action, the tree by column."""
        config = self._config
        explore = not self._evaluation if explore is None else explore
        positions = [simulator.position() for simulator in self._simulators]
        seen, _ = split(observation)
        if len(positions) != len(seen):
            raise ValueError(f"got {len(seen)} rows, expected {len(positions)}, one a simulator")
        self._evaluations.forget_old()
        nodes = Nodes(len(positions), self._network.num_actions, self._columns)
        tree = host_tree(config, self._root(nodes, positions), room, seed, explore)
        left = room
        while left > 0:
            left -= self._grow(tree, nodes, min(left, config.walks))
        found = tree.decision()
        return found._replace(
            action=tf.constant(nodes.actions(found.action.numpy())),
            action_weights=tf.constant(nodes.by_action(found.action_weights.numpy())),
        )

    def measurements(self) -> Mapping[str, float]:
        """Speeds since the policy was made, where the time goes, and how often the cache helped."""
        return {f"search/{name}": value for name, value in self._speed(self._done()).items()}

    def speed(self, observation: Any, state: Any, seconds: Seconds) -> Mapping[str, float]:
        """See `SearchingPolicy.speed`; by watches, which run in every step."""
        before = self._done()
        seconds([lambda: self.step(observation, state, tf.constant([0, 0]))[0].numpy()])
        return self._speed(self._done() - before)

    def _done(self) -> collections.Counter[str]:
        """Seconds and counts since the policy was made."""
        evaluations = self._evaluations
        counts = {"moves": self._moves, "asked": evaluations.asked, "known": evaluations.known}
        return self._watch.seconds + collections.Counter(counts)

    def _speed(self, done: collections.Counter[str]) -> dict[str, float]:
        seconds = max(done["whole"], 1e-9)
        speed = {
            "simulations_per_second": done["moves"] * self.num_simulations / seconds,
            "positions_per_second": done["asked"] / seconds,
            **{f"{part}_share": done[part] / seconds for part in ("rules", "tree", "network")},
        }
        if self._config.cached_positions:
            speed["cache_hit_rate"] = done["known"] / max(done["asked"], 1)
        return speed

    def _root(self, nodes: Nodes, positions: Sequence[GamePosition]) -> mcts.RootFnOutput:
        said = self._evaluated(positions)
        rows = range(len(positions))
        nodes.keep(rows, [0] * len(positions), positions, said)
        prior = nodes.prior(said)
        # A row behind a game's end may do anything; what is found there is not used.
        prior[[position.over for position in positions], 0] = 0.0
        values = np.array([evaluation.value for evaluation in said], np.float32)
        return mcts.RootFnOutput(prior, values, None)

    def _grow(self, tree: mcts.Tree, nodes: Nodes, walks: int) -> int:
        """Sends off `walks` walks of each tree, and brings them back."""
        with self._watch.timing("tree"):
            parents, columns = tree.simulate(walks)
        rows = np.repeat(np.arange(len(parents)), walks).tolist()
        edges = zip(rows, parents.ravel().tolist(), columns.ravel().tolist(), strict=True)
        with self._watch.timing("rules"):
            positions = [nodes.played(*edge) for edge in edges]
        said = self._evaluated(positions)
        shape, over = parents.shape, np.array([position.over for position in positions])
        reward = np.array([position.reward for position in positions], np.float32).reshape(shape)
        discount = np.where(over, np.float32(0), np.float32(-1)).reshape(shape)
        value = np.array([each.value for each in said], np.float32).reshape(shape)
        prior = nodes.prior(said).reshape(*shape, -1)
        with self._watch.timing("tree"):
            answered = tree.expand(reward, discount, prior, value)
            tree.backward()
        nodes.keep(rows, answered.ravel().tolist(), positions, said)
        return walks

    def _evaluated(self, positions: Sequence[GamePosition]) -> list[Evaluation]:
        with self._watch.timing("rules"):
            seen = [position.observe() for position in positions if not position.over]
        return self._evaluations.of(positions, seen, self._ask)

    def _ask(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with self._watch.timing("network"):
            prediction = self._predict(tf.constant(planes))
            return prediction.prior_logits.numpy(), prediction.value.numpy()

    @contextlib.contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[part] += time.perf_counter() - start
