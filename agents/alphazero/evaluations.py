"""What the network says of positions on the host: one call for all of them, none asked of twice."""

from __future__ import annotations

import collections
import hashlib
import threading
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from agents.alphazero.networks import AlphaZeroNetwork
from agents.boards.simulators import GamePosition


class Evaluation(NamedTuple):
    """What is kept of a position.

    Attributes:
      actions: legal ones, as many as a tree has columns for, in their order, int64 [k].
      logits: the prior's, of these, [k].
      value: -1 to 1, of the mover.
    """

    actions: np.ndarray
    logits: np.ndarray
    value: float


_OVER = Evaluation(np.zeros(0, np.int64), np.zeros(0, np.float32), 0.0)


class Evaluations:
    """Asks a network, and remembers what it said as long as its variables are what they were.

    A position is what the network sees and what is legal there: positions that are reached on
    several ways, or by several games, are the same.

    Args:
      network: that is asked; one without variables never changes.
      columns: actions of a position that are kept at most, those of the greatest prior.
      room: positions that are remembered; 0: none, and each is asked about.

    Attributes:
      asked: positions so far, those at a game's end apart.
      known: of these, those that the network was not asked about.
    """

    def __init__(self, network: AlphaZeroNetwork, columns: int, room: int) -> None:
        self.asked = self.known = 0
        self._network, self._columns, self._room = network, columns, room
        self._said: collections.OrderedDict[bytes, Evaluation] = collections.OrderedDict()
        self._weights: np.ndarray | None = None
        self._busy = threading.Lock()  # A search that nobody waits for any more may still ask.

    def forget_old(self) -> None:
        """Forgets all where the network's variables have changed."""
        if not (self._room and self._network.variables):
            return
        if not np.array_equal(weights := self._sums().numpy(), self._weights):
            with self._busy:
                self._said.clear()
            self._weights = weights

    def forget(self) -> None:
        """Forgets all."""
        with self._busy:
            self._said.clear()

    def of(
        self,
        positions: Sequence[GamePosition],
        seen: np.ndarray,
        ask: Callable[[np.ndarray], Sequence[np.ndarray]],
    ) -> list[Evaluation]:
        """Evaluates positions; at a game's end there is no action, and a value of 0.

        Args:
          positions: n.
          seen: planes [n', H, W, P] of those of them that are not over.
          ask: planes [m, H, W, P] → logits [m, A] and values [m]; called once, or not at all.
        """
        with self._busy:
            return self._of(positions, seen, ask)

    def _of(
        self,
        positions: Sequence[GamePosition],
        seen: np.ndarray,
        ask: Callable[[np.ndarray], Sequence[np.ndarray]],
    ) -> list[Evaluation]:
        going = [position for position in positions if not position.over]
        self.asked += len(going)
        if not self._room:
            found = iter(self._fresh(going, seen, ask))
            return [_OVER if position.over else next(found) for position in positions]
        keys = [_key(*pair) for pair in zip(going, seen, strict=True)]
        new = {key: row for row, key in enumerate(keys) if key not in self._said}
        rows = list(new.values())
        self.known += len(going) - len(rows)
        fresh = self._fresh([going[row] for row in rows], seen[rows], ask)
        told = dict(zip(new, fresh, strict=True))
        found = iter([told[key] if key in told else self._said[key] for key in keys])
        self._remember(told)
        return [_OVER if position.over else next(found) for position in positions]

    def _fresh(
        self,
        positions: Sequence[GamePosition],
        seen: np.ndarray,
        ask: Callable[[np.ndarray], Sequence[np.ndarray]],
    ) -> list[Evaluation]:
        if not positions:
            return []
        logits, values = ask(seen)
        return [self._kept(*row) for row in zip(positions, logits, values, strict=True)]

    def _kept(self, position: GamePosition, logits: np.ndarray, value: float) -> Evaluation:
        legal = np.asarray(position.legal, np.int64)
        if len(legal) > self._columns:
            legal = np.sort(legal[np.argsort(-logits[legal], kind="stable")[: self._columns]])
        return Evaluation(legal, logits[legal], float(value))

    def _remember(self, told: dict[bytes, Evaluation]) -> None:
        """Those that have been there longest make room."""
        self._said.update(told)
        while len(self._said) > self._room:
            self._said.popitem(last=False)

    @tf.function(autograph=False)
    def _sums(self) -> tf.Tensor:
        """A number of each variable, the count of updates among them: another network's differ."""
        return tf.stack([tf.reduce_sum(tf.cast(v, tf.float64)) for v in self._network.variables])


def _key(position: GamePosition, planes: np.ndarray) -> bytes:
    digest = hashlib.blake2b(planes.tobytes(), digest_size=16)
    digest.update(np.asarray(position.legal, np.int32).tobytes())
    return digest.digest()
