"""A game of `ops.games` played on the host, a position at a time."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ops.games import Rules


class Position(NamedTuple):
    """Where a game stands.

    Attributes:
      state: uint8 [S].
      reward: what the last move gave its mover: 1, 0 or -1.
      over: whether the game has ended.
      legal: actions of the player to move.
    """

    state: np.ndarray
    reward: float
    over: bool
    legal: list[int]


class HostRules:
    """The rules as functions of NumPy's arrays.

    Attributes:
      rules: of the game.
      start: where it begins.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        state = rules.initial(1)
        self.start = _position(state[0].numpy(), 0.0, False, rules.legal(state)[0].numpy())
        # Traced once: op by op, a game in plain TensorFlow would take as long as the search.
        self._step = tf.function(rules.step, autograph=False)
        self._observe = tf.function(rules.observe, autograph=False)

    @staticmethod
    @functools.cache
    def of(rules: Rules) -> HostRules:
        """The one of these rules, which all of a run's environments share."""
        return HostRules(rules)

    def step(self, state: np.ndarray, action: int) -> Position:
        """Plays a legal action in a state, uint8 [S].

        Raises:
          tf.errors.InvalidArgumentError: the action is illegal.
        """
        after = self._step(tf.constant(state[None]), tf.constant([action], tf.int32))
        state, reward, discount, legal = (part[0].numpy() for part in after)
        return _position(state, float(reward), bool(discount == 0), legal)

    def observe(self, state: np.ndarray) -> np.ndarray:
        """The planes that the player to move sees: float32 [H, W, P]."""
        return self._observe(tf.constant(state[None]))[0].numpy()


def _position(state: np.ndarray, reward: float, over: bool, legal: np.ndarray) -> Position:
    return Position(state, reward, over, np.flatnonzero(legal).tolist())
