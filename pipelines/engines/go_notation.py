"""How the Go Text Protocol and SGF write points, colours and handicaps.

G. Farnebäck, "Specification of the Go Text Protocol, version 2, draft 2", 2002
(https://www.lysator.liu.se/~gunnar/gtp/). Points are numbered as in `GoBoard`.
"""

from __future__ import annotations

from pipelines.engines.go_board import BLACK, WHITE, GoBoard

_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # Without I.
_COLOURS = {"b": BLACK, "black": BLACK, "w": WHITE, "white": WHITE}
_SYMBOLS = {BLACK: "X", WHITE: "O"}


def colour_of(text: str) -> int:
    """BLACK for 'b' or 'black', WHITE for 'w' or 'white', in any case.

    Raises:
      ValueError: it is neither.
    """
    if text.lower() not in _COLOURS:
        raise ValueError(f"colour is '{text}', expected b or w")
    return _COLOURS[text.lower()]


def point_of(vertex: str, size: int) -> int:
    """The number of 'D4', or of 'pass'.

    Raises:
      ValueError: it is no vertex of the board.
    """
    if vertex.lower() == "pass":
        return size**2
    column, row = _LETTERS.find(vertex[:1].upper()), vertex[1:]
    if not 0 <= column < size or not (row.isascii() and row.isdigit()) or not 1 <= int(row) <= size:
        raise ValueError(f"vertex is '{vertex}', expected such as {vertex_of(0, size)} or pass")
    return (int(row) - 1) * size + column


def vertex_of(point: int, size: int) -> str:
    """'D4', or 'pass'."""
    if point == size**2:
        return "pass"
    row, column = divmod(point, size)
    return f"{_LETTERS[column]}{row + 1}"


def handicap_points(count: int, size: int) -> list[int]:
    """Where the protocol puts so many fixed handicap stones, 2 to `most_handicap`."""
    low = 3 if size >= 13 else 2
    high, middle = size - 1 - low, size // 2
    corners = [(low, low), (high, high), (high, low), (low, high)]
    sides = [(middle, low), (middle, high), (low, middle), (high, middle)]
    # Rows before columns. An odd number above four has the centre.
    places = corners[:count] if count < 5 else corners + sides[: (count - 4) // 2 * 2]
    if count >= 5 and count % 2:
        places = [*places, (middle, middle)]
    return [row * size + column for row, column in places]


def most_handicap(size: int) -> int:
    """How many fixed handicap stones a board takes; 0: none."""
    if size < 7:
        return 0
    return 4 if size == 7 or size % 2 == 0 else 9


def picture(board: GoBoard) -> str:
    """The board in letters: Black X, White O."""
    size, letters = board.size, " ".join(_LETTERS[: board.size])
    lines = [f"   {letters}"]
    for row in reversed(range(size)):
        stones = board.stones[row * size : (row + 1) * size]
        cells = " ".join(_SYMBOLS.get(stone, ".") for stone in stones)
        lines.append(f"{row + 1:2} {cells} {row + 1}")
    return "\n".join([*lines, lines[0]])


def score_text(black: float, white: float) -> str:
    """'B+3.5', 'W+1' or '0'."""
    if black == white:
        return "0"
    return f"{'B' if black > white else 'W'}+{abs(black - white):g}"
