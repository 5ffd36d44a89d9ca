"""AlphaGo's planes and features of one position, as they are worded, on boards as arrays.

`own` and `other` are the stones' bytes [N, N] of who is to move and of the other one: bit k says
that the stone stood there k moves ago. A board is [N, N] of 1 (own), -1 and 0.
"""

from __future__ import annotations

import numpy as np

from ops.games import go
from tests.ops.games.naive_go import without_liberties

Point = tuple[int, int]
MIXER = 0x9E3779B97F4A7C15
MASK = 2**64 - 1
AROUND = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
FAR = [(-2, 0), (0, -2), (0, 2), (2, 0)]
SIDES = [(-1, 0), (0, -1), (0, 1), (1, 0)]


def near(board: np.ndarray, point: Point, ways=SIDES) -> list[Point]:
    """Points on the board that these ways lead to."""
    size = len(board)
    ends = [(point[0] + row, point[1] + column) for row, column in ways]
    return [end for end in ends if min(end) >= 0 and max(end) < size]


def chain(board: np.ndarray, point: Point) -> tuple[set[Point], set[Point]]:
    """A stone's chain and its liberties."""
    stones, reached = {point}, [point]
    liberties: set[Point] = set()
    while reached:
        for end in near(board, reached.pop()):
            if board[end] == 0:
                liberties.add(end)
            elif board[end] == board[point] and end not in stones:
                stones.add(end)
                reached.append(end)
    return stones, liberties


def chains(board: np.ndarray, colour: int) -> list[tuple[set[Point], set[Point]]]:
    """All of a colour."""
    found, done = [], set()
    for point in map(tuple, np.argwhere(board == colour).tolist()):
        if point not in done:
            found.append(chain(board, point))
            done |= found[-1][0]
    return found


def play(board: np.ndarray, point: Point, colour: int) -> np.ndarray | None:
    """The board after a move; None where the stone would have no liberty."""
    after = board.copy()
    after[point] = colour
    after[without_liberties(after, -colour)] = 0
    return None if without_liberties(after, colour).any() else after


def is_eye(board: np.ndarray, point: Point, colour: int) -> bool:
    if any(board[end] != colour for end in near(board, point)):
        return False
    corners = near(board, point, [(-1, -1), (-1, 1), (1, -1), (1, 1)])
    return sum(board[end] == -colour for end in corners) + (len(corners) < 4) < 2


class Ladder:
    """Reads one question; `moves` are below 0 where that takes more than it may."""

    def __init__(self, moves: int) -> None:
        self.moves = moves

    def captures(self, board: np.ndarray, stone: Point, point: Point) -> float:
        return self.settled(self.chase(board, stone, point))

    def saves(self, board: np.ndarray, stone: Point, point: Point) -> float:
        return self.settled(self.escapes(board, stone, point))

    def settled(self, answer: bool) -> float:
        """What is not settled by then counts as no."""
        return float(answer and self.moves >= 0)

    def chase(self, board, stone, point):
        after = play(board, point, -board[stone])
        if after is None or not self.spend():
            return False
        return after[stone] != board[stone] or self.caught(after, stone)

    def caught(self, board, stone):
        stones, liberties = chain(board, stone)
        return len(liberties) == 1 and not any(
            self.escapes(board, stone, way) for way in ways_out(board, stones, liberties)
        )

    def escapes(self, board, stone, point):
        after = play(board, point, board[stone])
        if after is None:
            return False
        if not self.spend():
            return True
        liberties = chain(after, stone)[1]
        if len(liberties) != 2:
            return len(liberties) > 2
        ordered = sorted(liberties, key=lambda point: wideness(after, board[stone], point))
        return not any(self.chase(after, stone, liberty) for liberty in ordered)

    def spend(self):
        self.moves -= 1
        return self.moves >= 0


def wideness(board: np.ndarray, owner: int, point: Point) -> tuple[int, int, Point]:
    """What the chaser's tries are sorted by."""
    after = play(board, point, owner)
    room = 0 if after is None else min(len(chain(after, point)[1]), 4)
    (row, column), last = point, len(board) - 1
    return -room, -min(row, column, last - row, last - column), point


def ways_out(board: np.ndarray, stones: set[Point], liberties: set[Point]) -> list[Point]:
    """Where a chain in atari may be saved, its liberty first."""
    ways: set[Point] = set()
    for stone in stones:
        for end in near(board, stone):
            beside = chain(board, end) if board[end] == -board[stone] else (None, ())
            if len(beside[1]) == 1:
                ways |= beside[1]
    return [*liberties, *sorted(ways - liberties)]


def planes(own: np.ndarray, other: np.ndarray, legal: np.ndarray, ladder_moves: int) -> np.ndarray:
    """float32 [N, N, 48]; legal: bool [N, N]."""
    board = (own & 1).astype(int) - (other & 1)
    size = len(board)
    seen = np.zeros((size, size, go.NUM_PLANES), np.float32)
    seen[..., 0], seen[..., 1], seen[..., 2], seen[..., 3] = board == 1, board == -1, board == 0, 1

    def number(point, plane, value):
        if value:
            seen[(*point, plane + min(value, 8) - 1)] = 1

    for point in np.ndindex(board.shape):
        if board[point]:
            boards = int((own if board[point] == 1 else other)[point])
            number(point, 4, len(f"{boards:b}"[::-1].split("0")[0]))
            number(point, 12, len(chain(board, point)[1]))
        elif legal[point]:
            after = board.copy()
            after[point] = 1
            taken = without_liberties(after, -1)
            after[taken] = 0
            stones, liberties = chain(after, point)
            number(point, 20, int(taken.sum()))
            number(point, 36, len(liberties))
            if len(liberties) < 2:
                number(point, 28, len(stones))
            seen[(*point, 46)] = not is_eye(board, point, 1)
    if ladder_moves:
        _add_ladders(board, legal, ladder_moves, seen)
    return seen


def _add_ladders(board, legal, moves, seen):
    for stones, liberties in chains(board, -1):
        for point in liberties if len(liberties) == 2 else ():
            found = Ladder(moves).captures(board, min(stones), point)
            seen[(*point, 44)] += legal[point] * found
    for stones, liberties in chains(board, 1):
        for point in ways_out(board, stones, liberties) if len(liberties) == 1 else ():
            found = Ladder(moves).saves(board, min(stones), point)
            seen[(*point, 45)] += legal[point] * found
    seen[..., 44:46] = np.minimum(seen[..., 44:46], 1)


def kind(board: np.ndarray, point: Point) -> int:
    """Three bits of what stands on a point."""
    if not min(point) >= 0 or not max(point) < len(board):
        return 4
    if board[point] == 0:
        return 0
    return (0 if board[point] == 1 else 4) + min(len(chain(board, point)[1]), 3)


def features(
    own: np.ndarray, other: np.ndarray, legal: np.ndarray, nakade: bool
) -> list[dict[int, int]]:
    """Of each point, its features by kind; none where a rollout would not play."""
    board = (own & 1).astype(int) - (other & 1)
    size = len(board)
    kinds = lambda point, ways: sum(  # noqa: E731
        kind(board, (point[0] + row, point[1] + column)) << 3 * i
        for i, (row, column) in enumerate(ways)
    )
    found: dict[Point, dict[int, int]] = {}
    for point in np.ndindex(board.shape):
        if board[point] == 0 and legal[point] and not is_eye(board, point, 1):
            seen = kinds(point, AROUND) * 0x9E3779B1 & 0xFFFFFFFF
            found[point] = {0: 40970 + (seen >> 15)}

    def add(point, which, feature):
        if point in found:
            found[point][which] = feature

    last = [tuple(p) for p in np.argwhere((other & 3) == 1).tolist()]
    if last:
        (row, column), ways = last[0], AROUND + FAR
        seen = kinds(last[0], ways) << 4
        for i, way in enumerate(ways):
            point = (row + way[0], column + way[1])
            add(point, 1, 0)
            add(point, 2, 8202 + (((seen | i) * MIXER & MASK) >> 49))
            if i < 8:
                add(point, 3, 2 + i)
    for stones, liberties in chains(board, 1):
        if len(liberties) == 1:
            for point in ways_out(board, stones, liberties):
                after = play(board, point, 1)
                takes = after is not None and (after == -1).sum() < (board == -1).sum()
                alive = after is not None and len(chain(after, min(stones))[1]) > 1
                if (point in liberties and alive) or (point not in liberties or takes):
                    add(point, 4, 1)
    taken = [tuple(p) for p in np.argwhere((own & 3) == 2).tolist()]
    if nakade and 3 <= len(taken) <= 6:
        for point in taken:
            shape = sum(mixed(64 * (r - point[0] + 32) + c - point[1] + 32) for r, c in taken)
            add(point, 5, 10 + ((shape & MASK) >> 51))
    return [found.get(point, {}) for point in np.ndindex(size, size)]


def mixed(x: int) -> int:
    """The mixing function of SplitMix64."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)
