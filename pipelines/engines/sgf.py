"""Games of Go as SGF: written, and read and played by a referee's rules."""

from __future__ import annotations

from collections.abc import Mapping

from agents.boards import sgf
from pipelines.engines.go_game import GoGame
from pipelines.system.errors import UserError


def write(game: GoGame, properties: Mapping[str, str]) -> str:
    """The game as text.

    Args:
      game: its setup, moves, size and komi are written.
      properties: further ones of the root, such as PB, PW, RE.
    """
    root = {"GM": "1", "FF": "4", "CA": "UTF-8", "SZ": str(game.size), "KM": f"{game.komi:g}"}
    head = "".join(f"{name}[{_escaped(text)}]" for name, text in {**root, **properties}.items())
    for name, colour in sgf.SETUP.items():
        points = [point for mover, point in game.setup if mover == colour]
        placed = "".join(f"[{sgf.point_text(point, game.size)}]" for point in points)
        head += (name + placed) if placed else ""
    moves = [f";{'BW'[c]}[{sgf.point_text(point, game.size)}]" for c, point in game.moves]
    lines = ["".join(moves[i : i + 10]) for i in range(0, len(moves), 10)]
    return "\n".join([f"(;{head}", *lines]) + ")\n"


def read(text: str, moves: int | None = None) -> GoGame:
    """The main line of the first game.

    Args:
      text: of the file.
      moves: the position is the one before this move, counted from 1; None: the last one.

    Raises:
      UserError: it is no game of Go, or one with an illegal move.
    """
    try:
        record = sgf.read(text)
    except ValueError as error:
        raise UserError(str(error)) from error
    game = GoGame(record.size, record.komi)
    try:
        game.place(record.setup)
        for colour, point in record.moves[: None if moves is None else max(moves - 1, 0)]:
            game.play(colour, point)
    except ValueError as error:
        raise UserError(f"the SGF cannot be played: {error}") from error
    return game


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("]", "\\]")
