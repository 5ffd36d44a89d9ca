"""Positions of Go as they are drawn, and moves in them."""

from __future__ import annotations

import numpy as np

from ops.games.host import HostRules


def position(host: HostRules, *rows: str, second: bool = False) -> np.ndarray:
    """A state [1, S] with these stones, X the first player's; as if nothing was played before.

    Rows and columns that are not drawn are empty.
    """
    state = host.initial(1)
    state[0, 0] = second
    size, cells = host.options.height, host.options.cells
    for row, text in enumerate(rows):
        for column, stone in enumerate(text):
            if stone != ".":
                state[0, 4 + row * size + column + cells * (stone == "O")] = 1
    return state


def play(host: HostRules, state: np.ndarray, *moves: tuple[int, int] | str) -> np.ndarray:
    """The state after moves: (row, column) or 'pass'."""
    for move in moves:
        state = host.step(state, [index(host, move)])[0]
    return state


def index(host: HostRules, move: tuple[int, int] | str) -> int:
    return host.options.cells if move == "pass" else move[0] * host.options.width + move[1]
