"""Which game is played, and by which of its rules: what `make` is asked for, checked."""

from __future__ import annotations

import dataclasses
import math
import operator
from typing import Any

GAMES = ("tic_tac_toe", "connect_four", "othello", "go")
BACKENDS = ("auto", "native", "tensorflow")
MAX_HISTORY = 8  # A cell keeps a byte a player, a bit for each of the last boards.
MAX_MOVES = 65535  # Moves are counted in 16 bits.

# Options that only some games have.
_OWN = {
    "size": ("othello", "go"),
    "komi": ("go",),
    "suicide": ("go",),
    "superko": ("go",),
    "max_moves": ("go",),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """A game and its rules. C: cells of the board.

    Attributes:
      name: one of GAMES.
      height, width: of the board.
      num_actions: A.
      history: boards that `observe` shows.
      komi: points that Go's second player gets.
      suicide: whether a move in Go may take the mover's own stones, more than one.
      superko: whether no board of the game may come back, or only not the last one.
      max_moves: ends the game, passes counted.
    """

    name: str
    height: int
    width: int
    num_actions: int
    history: int
    max_moves: int
    komi: float = 0.0
    suicide: bool = False
    superko: bool = False

    @property
    def cells(self) -> int:
        """C."""
        return self.height * self.width

    @property
    def num_hashes(self) -> int:
        """Earlier boards that a state of Go remembers."""
        if self.name != "go":
            return 0
        return self.max_moves if self.superko else 1


def options(name: str, history: Any = None, **given: Any) -> Options:
    """The options of a game; those of `given` that are None are its own.

    Raises:
      ValueError: names the option that is wrong, or that the game does not have.
    """
    if name not in GAMES:
        raise ValueError(f"game is {name!r}, expected one of {', '.join(GAMES)}")
    for option, games in _OWN.items():
        if given[option] is not None and name not in games:
            raise ValueError(f"{option} is an option of {' and '.join(games)}, not of {name}")
    given["history"] = history
    if name == "go":
        return _go(**given)
    history = _integer("history", history, 1, 1, MAX_HISTORY)
    if name == "othello":
        return _othello(given["size"], history)
    if name == "connect_four":
        return Options(name, 6, 7, num_actions=7, history=history, max_moves=42)
    return Options(name, 3, 3, num_actions=9, history=history, max_moves=9)


def _othello(size, history):
    size = 8 if size is None else size
    if isinstance(size, bool) or size not in (6, 8):
        raise ValueError(f"size is {size!r}, expected 6 or 8")
    size = int(size)
    actions = size**2 + 1
    # Nobody passes twice in a row, so there are at most as many passes as discs to place.
    return Options("othello", size, size, actions, history, max_moves=2 * (size**2 - 4))


def _go(size, komi, suicide, superko, max_moves, history):
    size = _integer("size", size, 19, 5, 19)
    return Options(
        "go",
        size,
        size,
        num_actions=size**2 + 1,
        history=_integer("history", history, MAX_HISTORY, 1, MAX_HISTORY),
        max_moves=_integer("max_moves", max_moves, 2 * size**2, 1, MAX_MOVES),
        komi=_komi(komi, size),
        suicide=_truth("suicide", suicide, False),
        superko=_truth("superko", superko, True),
    )


def _integer(name: str, value: Any, default: int, low: int, high: int) -> int:
    try:
        number = default if value is None else operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not low <= number <= high:
        raise ValueError(f"{name} is {value!r}, expected an integer, {low} to {high}")
    return number


def _truth(name: str, value: Any, default: bool) -> bool:
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, expected True or False")
    return default if value is None else value


def _komi(value: Any, size: int) -> float:
    try:
        komi = 7.5 if value is None else float(value)
    except (TypeError, ValueError):
        komi = math.nan
    if not abs(komi) <= size**2:  # Not of NaN either.
        raise ValueError(f"komi is {value!r}, expected a number, {-(size**2)} to {size**2}")
    return komi
