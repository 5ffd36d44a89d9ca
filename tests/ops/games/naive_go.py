"""Go's rules as Tromp and Taylor word them, one board at a time, nothing kept but the boards."""

from __future__ import annotations

import numpy as np


class NaiveGo:
    """A game: `board` is [size, size] of 1, -1 and 0; `past` are all boards since the beginning."""

    def __init__(self, size: int, komi: float, suicide: bool, superko: bool, max_moves: int):
        self.size, self.komi, self.suicide, self.superko = size, komi, suicide, superko
        self.max_moves, self.moves, self.passes = max_moves, 0, 0
        self.board = np.zeros((size, size), np.int8)
        self.past = [self.board]

    @property
    def colour(self) -> int:
        return 1 if self.moves % 2 == 0 else -1

    @property
    def over(self) -> bool:
        return self.passes == 2 or self.moves == self.max_moves

    def legal(self) -> np.ndarray:
        """bool [A]."""
        actions = range(self.size**2 + 1)
        return np.array([not self.over and self.after(action) is not None for action in actions])

    def after(self, action: int) -> np.ndarray | None:
        """The board that an action leads to, or None where it is illegal."""
        if action == self.size**2:
            return self.board
        row, column = divmod(action, self.size)
        if self.board[row, column]:
            return None
        board = self.board.copy()
        board[row, column] = self.colour
        taken = without_liberties(board, -self.colour)
        board[taken] = 0
        dead = without_liberties(board, self.colour)
        if dead.any() and not self.suicide:
            return None
        board[dead] = 0
        forbidden = self.past if self.superko else self.past[-2:]
        return None if any((board == other).all() for other in forbidden) else board

    def play(self, action: int) -> None:
        self.board = self.after(action)
        self.passes = self.passes + 1 if action == self.size**2 else 0
        self.moves += 1
        self.past.append(self.board)

    def outcome(self) -> int:
        """For the first player, by area."""
        return int(np.sign(area(self.board) - self.komi))


def reached(board: np.ndarray, start: np.ndarray, through: np.ndarray) -> np.ndarray:
    """Points of `through` connected with `start`, itself included."""
    while True:
        wider = start.copy()
        wider[1:] |= start[:-1]
        wider[:-1] |= start[1:]
        wider[:, 1:] |= start[:, :-1]
        wider[:, :-1] |= start[:, 1:]
        wider = start | (wider & through)
        if (wider == start).all():
            return start
        start = wider


def without_liberties(board: np.ndarray, colour: int) -> np.ndarray:
    """Stones of a colour that reach no empty point."""
    alive = reached(board, board == 0, board == colour)
    return (board == colour) & ~alive


def area(board: np.ndarray) -> int:
    """Points that reach only the first player's stones, less those that reach only the second's."""
    empty = board == 0
    first, second = (reached(board, board == colour, empty) for colour in (1, -1))
    return int((first & ~second).sum() - (second & ~first).sum())
