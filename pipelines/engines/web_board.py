"""A board game as a page shows it: pieces, and moves as words and squares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipelines.engines import chess_notation
from pipelines.engines.go_notation import vertex_of
from pipelines.environments import board_drawing

Square = tuple[int, int]

# Moves from one square to another, as OpenSpiel's chess and breakthrough and UCI write them, and
# as USI does, whose letters are rows.
_BY_FILE = re.compile(r"([a-z])(\d+)([a-z])(\d+)(.*)")
_BY_RANK = re.compile(r"(\d)([a-i])(\d)([a-i])(\+?)")


class Move(NamedTuple):
    """A move on the page.

    Attributes:
      action: the game's.
      text: in words.
      origin, target: squares (row, column), the top row being 0; None: the move has none.
    """

    action: int
    text: str
    origin: Square | None
    target: Square | None


class Board:
    """Reads the games of an environment of two players.

    Attributes:
      height, width: of the board.
    """

    def __init__(self, environment: Any) -> None:
        environment.reset()
        self._name, self._layout = environment.game_name, environment.layout
        self.height, self.width = environment.pieces().shape
        by_text = {"chess": _BY_FILE, "breakthrough": _BY_FILE, "shogi": _BY_RANK}
        self._pattern = by_text.get(self._name)

    def look(self) -> dict[str, Any]:
        """What the page has to know once of how the game looks."""
        layout, colour = self._layout, lambda rgb: "rgb({},{},{})".format(*rgb)
        return {
            "game": self._name,
            "height": self.height,
            "width": self.width,
            "kinds": layout.kinds,
            "letters": list(layout.letters),
            "board": colour(layout.board),
            "paint": [colour(rgb) for rgb in layout.paint],
            "empty": board_drawing.EMPTY,
        }

    def moves(self, environment: Any, actions: Sequence[int]) -> list[Move]:
        """The legal actions of the environment's position as moves."""
        return [self._move(environment, int(action)) for action in actions]

    def words(self, environment: Any, actions: Sequence[int]) -> list[str]:
        """A continuation from the environment's position, which stays as it is."""
        if self._pattern is None:
            return [self._cell(action)[0] for action in actions]
        return chess_notation.moves_text(environment.state, actions)

    def _move(self, environment: Any, action: int) -> Move:
        if self._pattern is None:
            text, square = self._cell(action)
            return Move(action, text, None, square)
        text = chess_notation.move_text(environment.state, action)
        found = self._pattern.fullmatch(text.rstrip("*"))
        if found is None:  # A piece that is dropped, or castling that is written as such.
            return Move(action, text, None, None)
        column, row, to_column, to_row, _ = found.groups()
        return Move(action, text, self._square(column, row), self._square(to_column, to_row))

    def _square(self, column: str, row: str) -> Square:
        if self._pattern is _BY_RANK:  # Columns are counted from the right.
            return ord(row) - ord("a"), self.width - int(column)
        return self.height - int(row), ord(column) - ord("a")

    def _cell(self, action: int) -> tuple[str, Square | None]:
        """Words and square of an action that fills a cell."""
        if action >= self.height * self.width:
            return "pass", None
        if self._name == "connect_four":
            return str(action + 1), (0, action)
        row, column = divmod(action, self.width)
        top = self.height - 1 - row if self._layout.upwards else row
        if self._name == "go":
            return vertex_of(action, self.width), (top, column)
        return f"{chr(ord('a') + column)}{row + 1}", (top, column)


def outcome_words(outcome: float) -> str:
    """How a game has ended, by what who moved first got."""
    return "a draw" if outcome == 0 else f"the {'first' if outcome > 0 else 'second'} player won"
