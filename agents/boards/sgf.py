"""Games of Go in SGF (FF[4], https://www.red-bean.com/sgf/): a file's first game, its main line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

BLACK, WHITE = 0, 1
LETTERS = "abcdefghijklmnopqrstuvwxyz"
_TOKEN = re.compile(r"[();]|([A-Za-z]+)|\[((?:[^\\\]]|\\.)*)\]|\s+", re.DOTALL)
COLOURS = {"B": BLACK, "W": WHITE}
SETUP = {"AB": BLACK, "AW": WHITE}

Move = tuple[int, int]  # Colour and point: N² points row by row from the lower left; N² is a pass.
_Node = dict[str, list[str]]


class Record(NamedTuple):
    """A game as it was written down.

    Attributes:
      size, komi: N of the board; White's points.
      setup: stones that stood before the first move.
      moves: played, as far as anybody knows legal.
    """

    size: int
    komi: float
    setup: list[Move]
    moves: list[Move]

    def actions(self) -> tuple[list[int], list[bool]]:
        """The game in strict turns, Black first, and which of its actions are moves of the record.

        The others are setup stones, and passes of who had no turn in the record.
        """
        actions: list[int] = []
        recorded: list[bool] = []
        told = [(move, False) for move in self.setup] + [(move, True) for move in self.moves]
        for (colour, point), is_move in told:
            if len(actions) % 2 != colour:
                actions.append(self.size**2)
                recorded.append(False)
            actions.append(point)
            recorded.append(is_move)
        return actions, recorded


def read(text: str) -> Record:
    """Reads a game.

    Raises:
      ValueError: what is wrong with it, in one line.
    """
    nodes = list(_main_line(text))
    if not nodes:
        raise ValueError("no SGF: it has no node")
    size, komi = _first(nodes[0], "SZ", "19"), _first(nodes[0], "KM", "0")
    if not size.isdigit() or not 2 <= int(size) <= 25:
        raise ValueError(f"SZ is '{size}', expected 2 to 25")
    try:
        setup, moves = (
            [move for node in nodes for move in _stones(node, names, int(size))]
            for names in (SETUP, COLOURS)
        )
        return Record(int(size), float(komi or 0), setup, moves)
    except ValueError as error:
        raise ValueError(f"the SGF cannot be played: {error}") from error


def point_text(point: int, size: int) -> str:
    """A point as SGF writes it."""
    if point == size**2:
        return ""
    row, column = divmod(point, size)
    return LETTERS[column] + LETTERS[size - 1 - row]


def _stones(node: _Node, names: Mapping[str, int], size: int) -> Iterator[Move]:
    for name, colour in names.items():
        for text in node.get(name, []):
            yield colour, _point(text, size)


def _main_line(text: str) -> Iterator[_Node]:
    """The nodes of the first game, of variations always the first."""
    node, name, end = None, "", 0
    for token in _TOKEN.finditer(text, max(text.find("("), 0)):
        if token.start() != end and end:
            raise ValueError(f"no SGF: '{text[end : end + 10]}' is neither property nor node")
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


def _first(node: _Node, name: str, default: str) -> str:
    return node.get(name, [default])[0].strip()


def _point(text: str, size: int) -> int:
    if text == "" or (text == "tt" and size <= 19):
        return size**2
    if len(text) != 2 or not all(0 <= LETTERS.find(letter) < size for letter in text):
        raise ValueError(f"'{text}' is no point of the board")
    column, row_from_top = map(LETTERS.index, text)
    return (size - 1 - row_from_top) * size + column
