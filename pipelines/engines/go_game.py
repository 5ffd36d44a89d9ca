"""A game of Go as programs play it: any colour at any time, setup, undo, play after the end."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.engines.go_board import BLACK, WHITE, GoBoard

Move = tuple[int, int]  # Colour and point.


class GoGame:
    """Moves, and what stands on the board after them.

    Attributes:
      size: N of the board.
      komi: White's points.
      setup: stones that were placed before the first move.
      moves: played since.
      board: where they have led.
    """

    def __init__(self, size: int, komi: float) -> None:
        self.size, self.komi = size, komi
        self.clear()

    def clear(self) -> None:
        """Empties the board; the komi stays."""
        self.setup: list[Move] = []
        self.moves: list[Move] = []
        self.board = GoBoard(self.size)

    def place(self, stones: Sequence[Move]) -> None:
        """Sets up stones on an empty board.

        Raises:
          IllegalMove: two on one point, or without a liberty; the board is empty then.
        """
        try:
            for colour, point in stones:
                self.board.play(colour, point)
        except ValueError:
            self.clear()
            raise
        self.setup = list(stones)

    def play(self, colour: int, point: int) -> None:
        """Plays.

        Raises:
          IllegalMove: the rules forbid it.
        """
        self.board.play(colour, point)
        self.moves.append((colour, point))

    def undo(self) -> None:
        """Takes the last move back.

        Raises:
          IndexError: there is none.
        """
        self.moves.pop()
        setup, moves = self.setup, self.moves
        self.clear()
        self.place(setup)
        for move in moves:
            self.play(*move)

    @property
    def turn(self) -> int:
        """Whose move comes by the usual order; White's after a handicap."""
        if self.moves:
            return 1 - self.moves[-1][0]
        return WHITE if self.setup and all(c == BLACK for c, _ in self.setup) else BLACK

    @property
    def passes(self) -> int:
        """How many of the last moves were passes."""
        count = 0
        while count < len(self.moves) and self.moves[-1 - count][1] == self.size**2:
            count += 1
        return count

    def score(self) -> tuple[float, float]:
        """Points of Black and of White, by area, komi included."""
        black, white = self.board.area()
        return black, white + self.komi

    def actions(self, colour: int) -> list[int]:
        """The game in strict turns, Black first, at whose end `colour` is to move.

        Rules that know nothing else see passes where a player moved twice; passes that ended the
        game, or that the same player followed with a move, never were.
        """
        pass_ = self.size**2
        actions: list[int] = []
        for mover, point in [*self.setup, *self.moves]:
            _hand_turn_to(mover, actions, pass_)
            actions.append(point)
        _hand_turn_to(colour, actions, pass_)
        return actions


def _hand_turn_to(colour: int, actions: list[int], pass_: int) -> None:
    if actions[-2:] == [pass_, pass_]:
        del actions[-2:]
    if len(actions) % 2 == colour:
        return
    if actions and actions[-1] == pass_:
        actions.pop()
    else:
        actions.append(pass_)
