"""Positions and moves of chess and shogi as UCI and USI write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

# Of a FEN: placement, side, castling, en passant, two counters; of an SFEN: hands, move number.
_FEN = re.compile(
    r"([KQRBNPkqrbnp1-8]+/){7}[KQRBNPkqrbnp1-8]+ [wb] (-|K?Q?k?q?) (-|[a-h][36]) \d{1,4} \d{1,5}"
)
_SFEN = re.compile(
    r"((\+?[RBSNLPrbsnlp]|[KGkg1-9])+/){8}(\+?[RBSNLPrbsnlp]|[KGkg1-9])+ [wb] "
    r"(-|(\d{0,2}[RBGSNLPrbgsnlp])+) \d{1,5}"
)
_PATTERNS = {"chess": (_FEN, 8, "FEN"), "shogi": (_SFEN, 9, "SFEN")}


class Line(NamedTuple):
    """A position, and how it came about.

    Attributes:
      start: FEN or SFEN from which `actions` lead; None: the game's own beginning.
      actions: OpenSpiel's.
      state: OpenSpiel's, after them.
    """

    start: str | None
    actions: list[int]
    state: Any


def legal_moves(state: Any) -> dict[str, int]:
    """What may be played in a state of OpenSpiel's chess or shogi: move, such as e7e8q → action."""
    return {move_text(state, action): action for action in state.legal_actions()}


def move_text(state: Any, action: int) -> str:
    """The action as the protocol writes it: e2e4, e7e8q; 7g7f, P*5e, 2d2c+."""
    if state.get_game().get_type().short_name != "chess":
        return state.action_to_string(action)
    from pyspiel import chess

    return chess.action_to_move(action, state.board()).to_lan()


def moves_text(state: Any, actions: Sequence[int]) -> list[str]:
    """The moves of a continuation from `state`, which stays as it is."""
    state, moves = state.clone(), []
    for action in actions:
        moves.append(move_text(state, action))
        state.apply_action(action)
    return moves


def follow(game: Any, start: str | None, moves: Sequence[str], begun: Line | None = None) -> Line:
    """Plays a game as programs do, who know of no draw until somebody claims it.

    Where OpenSpiel has ended the game (a position for the third time, fifty moves without
    progress), it goes on from the position as if it were new.

    Args:
      game: OpenSpiel's chess or shogi.
      start: FEN or SFEN; None: the game's own beginning.
      moves: as the protocol writes them.
      begun: where they are played; None: at `start`.

    Raises:
      ValueError: the position is none, or a move is illegal.
    """
    if begun is None:
        line = _begun(game, start)
    else:
        line = Line(begun.start, list(begun.actions), begun.state.clone())
    for move in moves:
        action = legal_moves(line.state).get(move)
        if action is None:
            raise ValueError(f"illegal move {move}")
        line.state.apply_action(action)
        line.actions.append(action)
        if line.state.is_terminal() and not any(line.state.returns()):
            line = _begun(game, _as_new(str(line.state)))
    return line


def _begun(game: Any, start: str | None) -> Line:
    if start is None:
        return Line(None, [], game.new_initial_state())
    import pyspiel

    _check(game.get_type().short_name, start)
    try:
        return Line(start, [], game.new_initial_state(start))
    except pyspiel.SpielError:
        raise ValueError(f"position '{start}' is impossible") from None


def _check(name: str, text: str) -> None:
    pattern, size, kind = _PATTERNS[name]
    ranks = text.split(" ")[0].split("/")
    widths = {sum(int(c) if c.isdigit() else c != "+" for c in rank) for rank in ranks}
    kings = {text.split(" ")[0].count(king) for king in "Kk"}
    if not pattern.fullmatch(text) or widths != {size} or kings != {1}:
        raise ValueError(f"position '{text}' is no {kind} with two kings")


def _as_new(text: str) -> str:
    """The position without the moves since the last progress, of a FEN."""
    words = text.split(" ")
    return " ".join([*words[:4], "0", words[5]]) if len(words) == 6 else text
