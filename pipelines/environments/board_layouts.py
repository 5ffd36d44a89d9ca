"""What OpenSpiel's observation planes mean in each board game, and how the mover sees them.

OpenSpiel numbers a game's planes by colour. A network that plays both sides learns from both only
when it sees its own pieces in the same planes, whichever colour they have, as in Silver et al., "A
general reinforcement learning algorithm that masters chess, shogi, and Go through self-play", 2018,
table S1.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Colour = tuple[int, int, int]

_WOOD = (222, 184, 120)
_BLACK, _WHITE = (20, 20, 20), (250, 250, 250)


class Layout(NamedTuple):
    """One game's planes. The first player is the one that moves first.

    Attributes:
      first: planes of the first player's, pieces before anything else.
      second: planes of the second player's, in the same order.
      shared: planes that say the same to both.
      kinds: of pieces on the board; so many of `first` and of `second` hold them.
      turns: the second player sees the board with its rows turned round, because OpenSpiel numbers
        its moves so.
      colour: rules differ for the two (komi, direction of play), so a plane says who moves: all 0
        for the first player, all 1 for the second.
      letters: of the first player's pieces and of the second's, one for each kind; empty: discs.
      upwards: row 0 is the bottom one.
      parameters: of OpenSpiel's that may be set; others change what planes mean, who begins
        (handicap) or bring in chance (chess960).
      board, paint: colours of the board, of the first player's pieces and of the second's.
    """

    first: tuple[int, ...]
    second: tuple[int, ...]
    shared: tuple[int, ...]
    kinds: int = 1
    turns: bool = False
    colour: bool = False
    letters: tuple[str, str] = ("", "")
    upwards: bool = False
    parameters: tuple[str, ...] = ()
    board: Colour = _WOOD
    paint: tuple[Colour, Colour] = (_BLACK, _WHITE)


LAYOUTS = {
    "tic_tac_toe": Layout(
        (2,),
        (1,),
        (0,),
        letters=("X", "O"),
        board=(245, 240, 225),
        paint=((200, 40, 40), (40, 80, 200)),
    ),
    "connect_four": Layout(
        (0,),
        (1,),
        (2,),
        upwards=True,
        parameters=("rows", "columns", "x_in_row"),
        board=(40, 80, 180),
        paint=((250, 210, 50), (220, 50, 50)),
    ),
    "go": Layout(
        (0,),
        (1,),
        (2,),
        colour=True,
        upwards=True,
        parameters=("board_size", "komi", "max_game_length"),
    ),
    "othello": Layout((1,), (2,), (0,), board=(30, 130, 70)),
    "breakthrough": Layout((0,), (1,), (2,), colour=True, parameters=("rows", "columns")),
    # Stones that touch no edge, one of their two edges, the other one, both.
    "hex": Layout(
        (5, 7, 6, 8), (3, 1, 2, 0), (4,), kinds=4, colour=True, parameters=("board_size",)
    ),
    # Pieces, castling rights; shared are empty squares, repetitions and moves without progress.
    "chess": Layout(
        (*range(0, 12, 2), 16, 17),
        (*range(1, 12, 2), 18, 19),
        (12, 13, 15),
        kinds=6,
        turns=True,
        colour=True,
        letters=("KQRBNP", "KQRBNP"),
        upwards=True,
        board=(120, 150, 90),
        paint=(_WHITE, _BLACK),
    ),
    # Pieces (the last six promoted), then those in hand; shared are empty squares and repetitions.
    "shogi": Layout(
        (*range(1, 28, 2), *range(38, 45)),
        (*range(0, 28, 2), *range(31, 38)),
        (28, 29),
        kinds=14,
        colour=True,
        letters=("KLNSGPBRlnspbr", "KLNSGPBRlnspbr"),
        upwards=True,
    ),
}


def num_planes(layout: Layout, history: int) -> int:
    """Returns the number of planes that `view` gives."""
    each = len(layout.first) + len(layout.second) + len(layout.shared)
    return history * each + layout.colour


def view(layout: Layout, positions: Sequence[np.ndarray], second: bool, history: int) -> np.ndarray:
    """Returns what a player sees, float32 [H, W, planes].

    Planes are the player's own, the other's and the shared ones of the newest position, then of the
    one before, and so on; zeros where the game has not yet had so many; last the colour, if any.

    Args:
      layout: of the game.
      positions: the newest last; OpenSpiel's planes, [P, H, W].
      second: whether the second player looks.
      history: positions to show.
    """
    parts = [seen_by(layout, second, position) for position in reversed(positions[-history:])]
    return stacked(layout, parts, second, history)


def seen_by(layout: Layout, second: bool, position: np.ndarray) -> np.ndarray:
    """What a player sees of one position [P, H, W]: [H, W, planes of one]."""
    return position.take(_places(layout, second, position.shape))


def stacked(
    layout: Layout,
    parts: Sequence[np.ndarray],
    second: bool,
    history: int,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Puts what a player sees of `history` positions at most, the newest first, together.

    `out` [H, W, planes] is where to; None: into an array of its own.
    """
    height, width, each = parts[0].shape
    missing = (history - len(parts)) * each
    rest = _rest(height, width, missing, layout.colour, second)
    return np.concatenate([*parts, rest], axis=2, out=out)


@functools.cache
def _rest(height: int, width: int, missing: int, colour: bool, second: bool) -> np.ndarray:
    """What stands behind the positions: zeros for those that are missing, then the colour."""
    rest = np.zeros((height, width, missing + colour), np.float32)
    if colour:
        rest[:, :, -1] = second
    return rest


@functools.cache
def _places(layout: Layout, second: bool, shape: tuple[int, int, int]) -> np.ndarray:
    """Where each number that a player sees stands among a position's: [H, W, planes]."""
    own, other = (layout.second, layout.first) if second else (layout.first, layout.second)
    numbers = np.arange(np.prod(shape)).reshape(shape)[[*own, *other, *layout.shared]]
    if second and layout.turns:
        numbers = numbers[:, ::-1]
    return np.ascontiguousarray(numbers.transpose(1, 2, 0))
