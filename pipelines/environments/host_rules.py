"""A game of `ops.games` on the host, a position at a time."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from ops import loader
from ops.games import Rules, host


class Position(NamedTuple):
    """Where a game stands.

    Attributes:
      state: uint8 [S].
      reward: what the last move gave its mover: 1, 0 or -1.
      over: whether the game has ended.
      legal: bool [A], of the player to move; none where the game is over.
    """

    state: np.ndarray
    reward: float
    over: bool
    legal: np.ndarray


class PositionRules:
    """The rules as functions of single positions: in plain C, or, where that is not built, by ops.

    Calling an op costs a hundred times what playing a move takes.

    Attributes:
      start: where the game begins.
    """

    def __init__(self, rules: Rules) -> None:
        self._native = loader.serves("games")
        self._rules = host.HostRules(rules) if self._native else rules
        state = np.asarray(self._rules.initial(1))
        self.start = Position(state[0], 0.0, False, np.asarray(self._rules.legal(state))[0])

    @staticmethod
    @functools.cache
    def of(rules: Rules) -> PositionRules:
        """The one of these rules, which all of a run's environments share."""
        return PositionRules(rules)

    def step(self, state: np.ndarray, action: int) -> Position:
        """Plays a legal action in a state, uint8 [S]."""
        after = self._rules.step(state[None], np.array([action], np.int32))
        state, reward, discount, legal = (np.asarray(part)[0] for part in after)
        return Position(state, float(reward), bool(discount == 0), legal)

    def rollout(self, position: Position, generator: np.random.Generator) -> float:
        """What a game of random moves from there gives whoever is to move."""
        if self._native and not position.over:
            seed = int(generator.integers(1 << 63))
            return float(self._rules.rollout(position.state[None], seed)[0])
        sign = -1.0  # At an end the reward is that of who moved last.
        while not position.over:
            action = generator.choice(np.flatnonzero(position.legal))
            position, sign = self.step(position.state, int(action)), -sign
        return sign * position.reward

    def observe(self, state: np.ndarray) -> np.ndarray:
        """The planes that the player to move sees: float32 [H, W, P]."""
        return np.asarray(self._rules.observe(state[None]))[0]
