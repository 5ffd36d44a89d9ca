"""The same rules on NumPy arrays, without TensorFlow's cost a call: for opponents and searches that
the host drives.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes import c_char_p, c_float, c_int32, c_int64, c_uint64, c_void_p

import numpy as np

from ops import loader
from ops.games import go, layout
from ops.games.options import GAMES, Options
from ops.games.rules import Rules

_ILLEGAL_ACTION = 2  # The fault kIllegalAction of cc/kernels/rules.h.


class _Rules(ctypes.Structure):
    """Rules of cc/kernels/rules.h."""

    _fields_ = [
        ("game", c_int32),
        ("size", c_int32),
        ("history", c_int32),
        ("max_moves", c_int32),
        ("suicide", c_int32),
        ("superko", c_int32),
        ("komi", c_float),
    ]


@functools.cache
def _library() -> ctypes.CDLL:
    """The library of the ops, by its plain C functions (cc/kernels/c_api.cc)."""
    loader.require("games", "games on the host are native")  # It needs TensorFlow's own library.
    library = ctypes.CDLL(str(loader.path_of("games")))
    arguments = {"step": 6, "legal": 2, "observe": 2}
    for name, pointers in arguments.items():
        function = getattr(library, f"lookahead_games_{name}")
        function.argtypes = [c_void_p, c_int64] + [c_void_p] * pointers
        function.restype = c_int64
    others = {
        "rollout": [c_void_p, c_uint64, c_void_p],
        "go_planes": [c_void_p, c_int64, c_void_p],
        "go_features": [c_void_p, c_int64, c_void_p],
        "go_rollout": [c_void_p, c_void_p, c_int64, c_uint64, c_void_p],
    }
    for name, types in others.items():
        function = getattr(library, f"lookahead_games_{name}")
        function.argtypes = [c_void_p, c_int64, *types]
        function.restype = c_int64
    for name, types in (("rules", [c_void_p]), ("odds", [c_void_p, c_int64])):
        function = getattr(library, f"lookahead_games_fault_of_{name}")
        function.argtypes, function.restype = types, c_char_p
    return library


class HostRules:
    """A game's rules on arrays, in the caller's thread; Python's lock is let go meanwhile.

    States are those of `Rules`, byte for byte.
    """

    def __init__(self, rules: Rules) -> None:
        """Takes the game of `rules`, which may be on any backend.

        Raises:
          loader.LibraryMissing: the native library is not built.
        """
        self.options: Options = rules.options
        self.num_actions, self.state_size = rules.num_actions, rules.state_size
        self.observation_shape = rules.observation_shape
        self._library = _library()
        options = rules.options
        numbers = (options.height, options.history, options.max_moves)
        flags = (options.suicide, options.superko)
        self._rules = _Rules(GAMES.index(options.name), *numbers, *flags, options.komi)
        self._address = ctypes.addressof(self._rules)
        fault = self._library.lookahead_games_fault_of_rules(self._address)
        if fault is not None:
            raise ValueError(fault.decode())

    def initial(self, batch_size: int) -> np.ndarray:
        """States in which games begin: uint8 [B, S]."""
        return np.tile(layout.initial(self.options), (batch_size, 1))

    def step(
        self, state: np.ndarray, action: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """As Rules.step: state, reward, discount, legal.

        Raises:
          ValueError: names the first row whose action is illegal, or that holds no state.
        """
        state = self._checked(state)
        action = np.ascontiguousarray(action, np.int32)
        if action.shape != state.shape[:1]:
            raise ValueError(f"action has shape {action.shape}, expected {state.shape[:1]}")
        batch = len(state)
        reward, discount = np.empty(batch, np.float32), np.empty(batch, np.float32)
        after, legal = np.empty_like(state), np.empty((batch, self.num_actions), bool)
        self._call("step", batch, state, action, after, reward, discount, legal)
        return after, reward, discount, legal

    def legal(self, state: np.ndarray) -> np.ndarray:
        """As Rules.legal: bool [B, A]."""
        state = self._checked(state)
        legal = np.empty((len(state), self.num_actions), bool)
        self._call("legal", len(state), state, legal)
        return legal

    def observe(self, state: np.ndarray) -> np.ndarray:
        """As Rules.observe: float32 [B, H, W, P]."""
        state = self._checked(state)
        planes = np.empty((len(state), *self.observation_shape), np.float32)
        self._call("observe", len(state), state, planes)
        return planes

    def rollout(
        self,
        state: np.ndarray,
        seed: int,
        weights: np.ndarray | None = None,
        nakade: bool = False,
    ) -> np.ndarray:
        """Plays each state to its end with random moves.

        In Go no own eye is filled, a player passes where nothing else is left, and only the last
        board but one may not come back.

        Args:
          state: uint8 [B, S]; each row has random numbers of its own.
          seed: any integer; the same one gives the same games.
          weights, nakade: of Go's rollout policy, see `ops.games.go`; None: moves are uniform.

        Returns:
          How each ended for the player to move in `state`: float32 [B], 1, 0 or -1.
        """
        state = self._checked(state)
        outcome = np.empty(len(state), np.float32)
        if weights is None:
            self._call("rollout", len(state), state, seed % 2**64, outcome)
            return outcome
        odds = np.exp(np.asarray(weights, np.float32))
        fault = self._library.lookahead_games_fault_of_odds(odds.ctypes.data, odds.size)
        if fault is not None:
            raise ValueError(fault.decode())
        numbers = (int(nakade), seed % 2**64)
        self._call("go_rollout", len(state), state, odds, *numbers, outcome)
        return outcome

    def go_planes(self, state: np.ndarray, ladder_moves: int = 100) -> np.ndarray:
        """As `ops.games.go.planes`: float32 [B, N, N, 48]."""
        state = self._checked(state)
        planes = np.empty((len(state), *self.observation_shape[:2], go.NUM_PLANES), np.float32)
        self._call("go_planes", len(state), state, ladder_moves, planes)
        return planes

    def go_features(self, state: np.ndarray, nakade: bool = False) -> np.ndarray:
        """As `ops.games.go.features`: int32 [B, A, 6]."""
        state = self._checked(state)
        features = np.empty((len(state), self.num_actions, 6), np.int32)
        self._call("go_features", len(state), state, int(nakade), features)
        return features

    def _checked(self, state: np.ndarray) -> np.ndarray:
        if state.dtype != np.uint8 or state.ndim != 2 or state.shape[1] != self.state_size:
            found = f"{state.dtype} {state.shape}"
            raise ValueError(f"state is {found}, expected uint8 [B, {self.state_size}]")
        return np.ascontiguousarray(state)

    def _call(self, name: str, batch: int, *arguments: int | np.ndarray) -> None:
        """Calls a C function with the arrays' addresses."""
        plain = [a if isinstance(a, int) else a.ctypes.data for a in arguments]
        function = getattr(self._library, f"lookahead_games_{name}")
        code = function(self._address, batch, *plain)
        if code:
            row, fault = divmod(code, 4)
            if fault == _ILLEGAL_ACTION:
                raise ValueError(f"action {arguments[1][row]} is illegal (row {row} of the batch)")
            raise ValueError(f"state is not one of {self.options.name}'s (row {row} of the batch)")
