"""A Go board as referees need it: captures, repetitions, areas.

Area scoring by J. Tromp and W. Taylor's rules (https://tromp.github.io/go.html): all stones that
are left count as alive. Suicide and a board that was there before are illegal.
"""

from __future__ import annotations

from collections.abc import Iterator

BLACK, WHITE = 0, 1
EMPTY = -1


class IllegalMove(ValueError):
    """The rules do not allow it."""


class GoBoard:
    """Stones on N × N points, numbered row by row from the lower left corner; N² is a pass.

    Attributes:
      size: N.
      stones: N² values, `BLACK`, `WHITE` or `EMPTY`.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.stones = [EMPTY] * size**2
        self._seen = {tuple(self.stones)}

    def play(self, colour: int, point: int) -> None:
        """Plays `point`, whoever's turn it is.

        Raises:
          IllegalMove: the board stays as it was.
        """
        if point == self.size**2:
            return
        after = self._after(colour, point)
        if after is None:
            raise IllegalMove("illegal move")
        self.stones = list(after)
        self._seen.add(after)

    def is_legal(self, colour: int, point: int) -> bool:
        """Whether `play` takes it."""
        return point == self.size**2 or self._after(colour, point) is not None

    def area(self) -> tuple[int, int]:
        """Points of Black and of White: stones, and empty points that reach one colour alone."""
        points = [self.stones.count(BLACK), self.stones.count(WHITE)]
        for group, borders in self._groups(EMPTY):
            if len(borders) == 1:
                points[borders.pop()] += len(group)
        return points[BLACK], points[WHITE]

    def chains(self) -> list[set[int]]:
        """All chains of stones, Black's first."""
        return [group for colour in (BLACK, WHITE) for group, _ in self._groups(colour)]

    def _after(self, colour: int, point: int) -> tuple[int, ...] | None:
        """The stones after a move; None: it is illegal."""
        if self.stones[point] != EMPTY:
            return None
        stones = [*self.stones]
        stones[point] = colour
        for near in self._near(point):
            if stones[near] == 1 - colour:
                _take_if_dead(stones, *self._group(stones, near))
        _, borders = self._group(stones, point)
        after = tuple(stones)
        return after if EMPTY in borders and after not in self._seen else None

    def _groups(self, colour: int) -> Iterator[tuple[set[int], set[int]]]:
        """Connected points of a colour, each with the colours around it."""
        done: set[int] = set()
        for point, stone in enumerate(self.stones):
            if stone == colour and point not in done:
                group, borders = self._group(self.stones, point)
                done |= group
                yield group, borders

    def _group(self, stones: list[int], point: int) -> tuple[set[int], set[int]]:
        group, borders, reached = {point}, set(), [point]
        while reached:
            for near in self._near(reached.pop()):
                if stones[near] != stones[point]:
                    borders.add(stones[near])
                elif near not in group:
                    group.add(near)
                    reached.append(near)
        return group, borders

    def _near(self, point: int) -> Iterator[int]:
        row, column = divmod(point, self.size)
        if row > 0:
            yield point - self.size
        if row < self.size - 1:
            yield point + self.size
        if column > 0:
            yield point - 1
        if column < self.size - 1:
            yield point + 1


def _take_if_dead(stones: list[int], group: set[int], borders: set[int]) -> None:
    if EMPTY not in borders:
        for point in group:
            stones[point] = EMPTY
