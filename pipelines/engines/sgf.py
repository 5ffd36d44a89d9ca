"""Games of Go as SGF (FF[4], https://www.red-bean.com/sgf/): written, and their main line read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pipelines.engines.go_board import BLACK, WHITE
from pipelines.engines.go_game import GoGame, Move
from pipelines.system.errors import UserError

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(r"[();]|([A-Za-z]+)|\[((?:[^\\\]]|\\.)*)\]|\s+", re.DOTALL)
_COLOURS = {"B": BLACK, "W": WHITE}
_SETUP = {"AB": BLACK, "AW": WHITE}

Node = dict[str, list[str]]


def write(game: GoGame, properties: Mapping[str, str]) -> str:
    """The game as text.

    Args:
      game: its setup, moves, size and komi are written.
      properties: further ones of the root, such as PB, PW, RE.
    """
    root = {"GM": "1", "FF": "4", "CA": "UTF-8", "SZ": str(game.size), "KM": f"{game.komi:g}"}
    head = "".join(f"{name}[{_escaped(text)}]" for name, text in {**root, **properties}.items())
    for name, colour in _SETUP.items():
        placed = [_point_text(point, game.size) for mover, point in game.setup if mover == colour]
        head += (name + "".join(f"[{text}]" for text in placed)) if placed else ""
    moves = [f";{'BW'[colour]}[{_point_text(point, game.size)}]" for colour, point in game.moves]
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
    nodes = list(_main_line(text))
    if not nodes:
        raise UserError("no SGF: it has no node")
    size, komi = _first(nodes[0], "SZ", "19"), _first(nodes[0], "KM", "0")
    if not size.isdigit() or not 2 <= int(size) <= 25:
        raise UserError(f"SZ is '{size}', expected 2 to 25")
    try:
        game = GoGame(int(size), float(komi or 0))
        setup = [move for node in nodes for move in _stones(node, _SETUP, game.size)]
        game.place(setup)
        for colour, point in (m for node in nodes for m in _stones(node, _COLOURS, game.size)):
            if moves is not None and len(game.moves) >= moves - 1:
                break
            game.play(colour, point)
    except ValueError as error:
        raise UserError(f"the SGF cannot be played: {error}") from error
    return game


def _stones(node: Node, names: Mapping[str, int], size: int) -> Iterator[Move]:
    for name, colour in names.items():
        for text in node.get(name, []):
            yield colour, _point(text, size)


def _main_line(text: str) -> Iterator[Node]:
    """The nodes of the first game, of variations always the first."""
    node, name, end = None, "", 0
    for token in _TOKEN.finditer(text, max(text.find("("), 0)):
        if token.start() != end and end:
            raise UserError(f"no SGF: '{text[end : end + 10]}' is neither property nor node")
        end = token.end()
        if token[0] == ")":
            break  # The first leaf.
        if token[0] == ";":
            if node is not None:
                yield node
            node, name = {}, ""
        elif token[1]:
            # Small letters are allowed in older files and mean nothing.
            name = "".join(filter(str.isupper, token[1]))
        elif token[2] is not None and node is not None:
            node.setdefault(name, []).append(re.sub(r"\\(.)", r"\1", token[2], flags=re.DOTALL))
    if node is not None:
        yield node


def _first(node: Node, name: str, default: str) -> str:
    return node.get(name, [default])[0].strip()


def _point(text: str, size: int) -> int:
    if text == "" or (text == "tt" and size <= 19):
        return size**2
    if len(text) != 2 or not all(0 <= _LETTERS.find(letter) < size for letter in text):
        raise ValueError(f"'{text}' is no point of the board")
    column, row_from_top = map(_LETTERS.index, text)
    return (size - 1 - row_from_top) * size + column


def _point_text(point: int, size: int) -> str:
    if point == size**2:
        return ""
    row, column = divmod(point, size)
    return _LETTERS[column] + _LETTERS[size - 1 - row]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("]", "\\]")
