"""Protects what a board shows: the mover's view, whichever the game numbers its pieces by."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.environments import board_game
from pipelines.environments.board_layouts import LAYOUTS

SOME_OF_EACH = (
    "tic_tac_toe",
    "connect_four",
    "go(board_size=5)",
    "chess",
    "shogi",
    "othello",
    "breakthrough(rows=5,columns=4)",
    "hex(board_size=4)",
)


def after(environment, actions):
    timestep = environment.reset()
    for action in actions:
        timestep = environment.step(action)
    return timestep


@pytest.mark.parametrize("game", ["tic_tac_toe", "connect_four", "othello"])
def test_colours_swapped_look_the_same_to_the_mover(game):
    """The mover's own stones come first whichever colour they have: the swap changes nothing."""
    environment = board_game(seed=0, game=game)
    timestep = environment.reset()
    rng = np.random.RandomState(0)
    for _ in range(5):
        text = str(environment.state)
        mover = "xo"[environment.state.current_player()]
        board = timestep.observation["board"]
        cells = [c for c in text.split("play:")[-1] if c in "xo.-"]
        rows = np.array(cells).reshape(board.shape[:2])
        rows = rows[::-1] if game == "connect_four" else rows
        np.testing.assert_array_equal(board[..., 0], rows == mover)
        np.testing.assert_array_equal(board[..., 1], (rows != mover) & np.isin(rows, ["x", "o"]))
        np.testing.assert_array_equal(board.sum(axis=-1), 1)
        timestep = environment.step(
            rng.choice(np.flatnonzero(timestep.observation["legal_actions"]))
        )


def test_go_shows_own_stones_and_who_moves():
    environment = board_game(seed=0, game="go(board_size=5)")
    black = after(environment, (12, 3)).observation["board"]
    assert black[2, 2, 0] == 1 and black[0, 3, 1] == 1 and not black[..., 3].any()
    white = after(environment, (3, 0, 12)).observation["board"]
    assert white[0, 0, 0] == 1 and white[2, 2, 1] == white[0, 3, 1] == 1 and white[..., 3].all()


def chess_view(moves: str):
    environment = board_game(seed=0, game="chess")
    environment.reset()
    for move in moves.split():
        timestep = environment.step(environment.state.string_to_action(move))
    return timestep.observation


def test_chess_looks_the_same_to_black_as_it_would_to_white():
    """Board turned round and castling rights too: the same position but for who had the tempo."""
    white = chess_view("e4 e5 Nf3 Nc6 Rg1 Nb8")  # White has lost the right on the king's side.
    black = chess_view("e4 e6 Nc3 e5 Nb1 Nf6 Nc3 Rg8 Nb1 Nc6 Nc3 Nb8 Nb1")
    # After 16 of the players' own and the empty squares come repetitions, moves without progress
    # and the colour, which differ.
    np.testing.assert_array_equal(white["board"][..., :17], black["board"][..., :17])
    np.testing.assert_array_equal(white["legal_actions"], black["legal_actions"])
    assert not white["board"][..., -1].any() and black["board"][..., -1].all()
    own_castling, other_castling = white["board"][0, 0, 6:8], white["board"][0, 0, 14:16]
    np.testing.assert_array_equal(own_castling, [1, 0])
    np.testing.assert_array_equal(other_castling, [1, 1])


def test_hex_shows_which_edge_stones_touch():
    """The first player's edges are rows, the second's columns; in planes of the same place."""
    environment = board_game(seed=0, game="hex(board_size=4)")
    seen = after(environment, (0, 4, 13, 11, 5, 6)).observation["board"]  # The first one's turn.
    first, second = seen[..., :4], seen[..., 4:8]
    assert [np.argwhere(first[..., i]).tolist() for i in range(4)] == [
        [[1, 1]],
        [[0, 0]],
        [[3, 1]],
        [],
    ]
    assert [np.argwhere(second[..., i]).tolist() for i in range(4)] == [
        [[1, 2]],
        [[1, 0]],
        [[2, 3]],
        [],
    ]
    assert seen[..., 8].sum() == 10 and not seen[..., 9].any()
    pieces = environment.pieces() // LAYOUTS["hex"].kinds
    assert pieces[0].tolist() == [0, -1, -1, -1] and pieces[1].tolist() == [1, 0, 1, -1]


@pytest.mark.parametrize("game", ["chess", "shogi"])
def test_planes_are_the_pieces_that_the_notation_shows(game):
    environment = board_game(seed=0, game=game)
    layout = LAYOUTS[game]
    rng = np.random.RandomState(1)
    timestep = environment.reset()
    for _ in range(120):
        legal = np.flatnonzero(timestep.observation["legal_actions"])
        timestep = environment.step(rng.choice(legal))
        if timestep.last():
            break
        board, second = timestep.observation["board"], environment._turn() == 1
        if second and layout.turns:
            board = board[::-1]
        width = len(layout.first)
        mine = board[..., : layout.kinds], board[..., width : width + layout.kinds]
        first, other = mine[::-1] if second else mine
        assert notation(first, other, layout) == str(environment.state).split()[0]


def notation(first, second, layout) -> str:
    """Forsyth's, rows from the top; pieces of the player at the bottom are capitals."""
    rows = []
    for y in reversed(range(first.shape[0])):
        row = ""
        for x in range(first.shape[1]):
            letter = "1"
            for planes, case in ((first, str.upper), (second, str.lower)):
                for kind in np.flatnonzero(planes[y, x]):
                    name = layout.letters[0][kind]
                    letter = ("+" if name.islower() else "") + case(name)
            row += letter
        for run in range(first.shape[1], 1, -1):
            row = row.replace("1" * run, str(run))
        rows.append(row)
    return "/".join(rows)


def test_shogi_shows_pieces_in_hand_as_the_movers_own():
    environment = board_game(seed=0, game="shogi")
    timestep = environment.reset()
    for move in ("7g7f", "3c3d", "8h2b+"):  # The first player takes a bishop.
        timestep = environment.step(environment.state.string_to_action(move))
    board = timestep.observation["board"]
    hands = board[0, 0, 14:21], board[0, 0, 35:42]
    assert not hands[0].any()
    np.testing.assert_array_equal(hands[1] > 0, [False] * 5 + [True, False])


def test_history_shows_earlier_positions_as_the_mover_of_now_sees_them():
    environment = board_game(seed=0, history=3)
    board = after(environment, (4,)).observation["board"]
    assert board.shape == (3, 3, 9)
    assert board[..., 1].sum() == 1 and board[..., 0].sum() == 0
    assert board[..., 3:5].sum() == 0 and board[..., 5].all(), "the empty board before"
    assert not board[..., 6:].any(), "nothing before that"
    board = environment.step(0).observation["board"]
    assert board[1, 1, 0] == board[1, 1, 3] == 1, "own stone in both"
    assert board[0, 0, 1] == 1 and board[0, 0, 4] == 0
