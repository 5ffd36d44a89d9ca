"""Pictures of board games, for videos of episodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.environments.board_layouts import Layout

# Drawn so much larger than asked for, then averaged: round shapes and letters get smooth edges.
_SUPERSAMPLING = 4
_MARGIN = (60, 60, 60)
_MARK = (0, 230, 230)
# Shares of a cell's side.
_GRID = 0.03
_FRAME = 0.1
_DISC = 0.8
_LETTER = 0.8

EMPTY = -1


def draw(
    layout: Layout, position: np.ndarray, previous: np.ndarray, height: int, width: int
) -> np.ndarray:
    """Returns the board as uint8 [height, width, 3], as the first player sits before it.

    Args:
      layout: of the game.
      position: OpenSpiel's planes, [P, H, W].
      previous: those before the last move: the cells that it filled or turned are framed.
      height: in pixels.
      width: in pixels.
    """
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (width * _SUPERSAMPLING, height * _SUPERSAMPLING), _MARGIN)
    canvas = ImageDraw.Draw(picture)
    pieces = pieces_of(layout, position)
    moved = (pieces != EMPTY) & (pieces != pieces_of(layout, previous))
    side = min(picture.height / pieces.shape[0], picture.width / pieces.shape[1])
    top = (picture.height - side * pieces.shape[0]) / 2
    left = (picture.width - side * pieces.shape[1]) / 2
    for (row, column), piece in np.ndenumerate(pieces):
        x, y = left + column * side, top + row * side
        edge = (_MARK, _FRAME) if moved[row, column] else (_MARGIN, _GRID)
        square = (x, y, x + side, y + side)
        canvas.rectangle(square, layout.board, edge[0], max(1, round(side * edge[1])))
        if piece != EMPTY:
            _draw_piece(canvas, layout, int(piece), (x + side / 2, y + side / 2), side)
    return np.array(picture.resize((width, height), Image.Resampling.BOX))


def pieces_of(layout: Layout, position: np.ndarray) -> np.ndarray:
    """Returns what stands where, int [H, W], top row first.

    The first player's kinds are numbered from 0, the second's after them; -1 is an empty cell.
    """
    planes = position[[*layout.first[: layout.kinds], *layout.second[: layout.kinds]]] > 0
    pieces = np.where(planes.any(axis=0), planes.argmax(axis=0), EMPTY)
    return pieces[::-1] if layout.upwards else pieces


def _draw_piece(
    canvas: Any, layout: Layout, piece: int, centre: tuple[float, float], side: float
) -> None:
    from PIL import ImageFont

    player, kind = divmod(piece, layout.kinds)
    letters, paint = layout.letters[player], layout.paint[player]
    if letters:
        font = ImageFont.load_default(side * _LETTER)
        canvas.text(centre, letters[kind], paint, font, anchor="mm")
    else:
        radius = side * _DISC / 2
        x, y = centre
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), paint)
