"""A game of `ops.games` played on the host, a position at a time."""

from __future__ import annotations

import ctypes
import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ops import loader
from ops.games import GAMES, Rules
from ops.games.options import Options


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


class HostRules:
    """The rules as functions of NumPy's arrays: plain C, where the library is built.

    An op costs some 100 times as much to call as such a position takes to play.

    Attributes:
      rules: of the game.
      start: where it begins.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        state = rules.initial(1)
        self.start = Position(state[0].numpy(), 0.0, False, rules.legal(state)[0].numpy())
        self._observe = tf.function(rules.observe, autograph=False)
        self._library = _library() if loader.serves("games") else None
        self._structure = _Rules.of(rules.options)

    @staticmethod
    @functools.cache
    def of(rules: Rules) -> HostRules:
        """The one of these rules, which all of a run's environments share."""
        return HostRules(rules)

    def step(self, state: np.ndarray, action: int) -> Position:
        """Plays a legal action in a state, uint8 [S]."""
        if self._library is None:
            return self._step_by_op(state, action)
        following = np.empty_like(state)
        said, legal = np.empty(2, np.float32), np.empty(self.rules.num_actions, bool)
        fault = self._library.lookahead_games_step(
            ctypes.byref(self._structure),
            1,
            state.ctypes.data,
            np.int32(action).reshape(1).ctypes.data,
            following.ctypes.data,
            said.ctypes.data,
            said.ctypes.data + said.itemsize,
            legal.ctypes.data,
        )
        if fault:
            raise ValueError(f"action {action} is illegal, or the state none of the game's")
        return Position(following, float(said[0]), bool(said[1] == 0), legal)

    def rollout(self, state: np.ndarray, generator: np.random.Generator) -> float:
        """What a game of uniformly random moves from there gives whoever is to move."""
        if self._library is None:
            return self._rollout_by_op(state, generator)
        outcome = np.empty(1, np.float32)
        seed = ctypes.c_uint64(int(generator.integers(1 << 63)))
        self._library.lookahead_games_rollout(
            ctypes.byref(self._structure), 1, state.ctypes.data, seed, outcome.ctypes.data
        )
        return float(outcome[0])

    def observe(self, state: np.ndarray) -> np.ndarray:
        """The planes that the player to move sees: float32 [H, W, P]."""
        return self._observe(tf.constant(state[None])).numpy()[0]

    def _step_by_op(self, state: np.ndarray, action: int) -> Position:
        after = self.rules.step(tf.constant(state[None]), tf.constant([action], tf.int32))
        state, reward, discount, legal = (part.numpy()[0] for part in after)
        return Position(state, float(reward), bool(discount == 0), legal)

    def _rollout_by_op(self, state: np.ndarray, generator: np.random.Generator) -> float:
        position = Position(state, 0.0, False, self.rules.legal(state[None]).numpy()[0])
        sign = -1.0  # At an end the reward is that of who moved last.
        while position.legal.any():
            action = generator.choice(np.flatnonzero(position.legal))
            position, sign = self.step(position.state, int(action)), -sign
        return sign * position.reward


class _Rules(ctypes.Structure):
    """The structure Rules of ops/games/cc/kernels/rules.h."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("game", "size", "history", "max_moves")),
        *((name, ctypes.c_int32) for name in ("suicide", "superko")),
        ("komi", ctypes.c_float),
    )

    @classmethod
    def of(cls, options: Options) -> _Rules:
        numbers = options.height, options.history, options.max_moves
        return cls(
            GAMES.index(options.name), *numbers, options.suicide, options.superko, options.komi
        )


@functools.cache
def _library() -> ctypes.CDLL:
    loader.load("games")  # It needs TensorFlow's own library in the process.
    library = ctypes.CDLL(str(loader.path_of("games")))
    pointer = ctypes.c_void_p
    step, rollout = library.lookahead_games_step, library.lookahead_games_rollout
    step.argtypes = [pointer, ctypes.c_int64, *[pointer] * 6]
    rollout.argtypes = [pointer, ctypes.c_int64, pointer, ctypes.c_uint64, pointer]
    step.restype = rollout.restype = ctypes.c_int64
    return library
