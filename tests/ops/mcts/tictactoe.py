"""Tic-tac-toe as tables over its 5478 positions, solved by negamax."""

from __future__ import annotations

import functools

import numpy as np

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))
EMPTY = (0,) * 9


def move(board: tuple[int, ...], action: int) -> tuple[int, ...]:
    """The board as the next player sees it: own stones 1, the other's -1."""
    played = [-stone for stone in board]
    played[action] = -1
    return tuple(played)


def lost(board: tuple[int, ...]) -> bool:
    """Whether the player who moved last has three in a row."""
    return any(all(board[i] == -1 for i in line) for line in LINES)


def legal(board: tuple[int, ...]) -> list[int]:
    return [] if lost(board) else [a for a in range(9) if board[a] == 0]


@functools.cache
def negamax(board: tuple[int, ...]) -> int:
    """What the game is worth for the player to move: 1, 0 or -1."""
    if lost(board):
        return -1
    return max((-negamax(move(board, a)) for a in legal(board)), default=0)


@functools.cache
def tables() -> tuple[dict[str, np.ndarray], dict[tuple[int, ...], int]]:
    """The tables that models.TableModel takes, and each position's row; leaves are worth 0."""
    order, seen = [EMPTY], {EMPTY: 0}
    for board in order:
        for action in legal(board):
            after = move(board, action)
            if after not in seen:
                seen[after] = len(order)
                order.append(after)
    size = (len(order), 9)
    made = {
        "next_state": np.zeros(size, np.int32),
        "reward": np.zeros(size, np.float32),
        "discount": np.zeros(size, np.float32),
        "prior_logits": np.full(size, -np.inf, np.float32),
        "value": np.zeros(len(order), np.float32),
    }
    for board, row in seen.items():
        for action in legal(board):
            after = move(board, action)
            made["next_state"][row, action] = seen[after]
            made["prior_logits"][row, action] = 0.0
            made["reward"][row, action] = float(lost(after))
            made["discount"][row, action] = -1.0 if legal(after) else 0.0
    return made, seen


def after_two_moves() -> list[tuple[int, ...]]:
    """The 72 positions in which each player has moved once."""
    return [move(move(EMPTY, a), b) for a in range(9) for b in range(9) if a != b]


def best_actions(board: tuple[int, ...]) -> set[int]:
    return {a for a in legal(board) if -negamax(move(board, a)) == negamax(board)}
