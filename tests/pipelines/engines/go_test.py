"""Go as a referee knows it: captures, repetitions, areas, turns; SGF files written and read."""

from __future__ import annotations

import os

import numpy as np
import pyspiel
import pytest

from pipelines.engines import sgf
from pipelines.engines.go_board import BLACK, WHITE, GoBoard, IllegalMove
from pipelines.engines.go_game import GoGame
from pipelines.engines.go_notation import (
    handicap_points,
    most_handicap,
    picture,
    point_of,
    score_text,
    vertex_of,
)
from pipelines.system.errors import UserError


def test_random_games_are_openspiels():
    """Legal moves, but for repetitions, which OpenSpiel lets be played and ends, and scores."""
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    random = np.random.RandomState(seed)
    for size in (3, 5, 7):
        game = pyspiel.load_game("go", {"board_size": size, "komi": 0.5, "max_game_length": 1000})
        for _ in range(4):
            state, board, colour = game.new_initial_state(), GoBoard(size), BLACK
            while not state.is_terminal():
                legal = set(state.legal_actions())
                ours = {point for point in range(size**2 + 1) if board.is_legal(colour, point)}
                assert ours <= legal
                assert all(state.child(action).is_terminal() for action in legal - ours)
                action = int(random.choice(sorted(ours)))
                state.apply_action(action)
                board.play(colour, action)
                colour = 1 - colour
            black, white = board.area()
            assert np.sign(black - white - 0.5) == state.returns()[BLACK]


def test_a_board_never_comes_back():
    board = GoBoard(4)
    ko = [(BLACK, "B1"), (WHITE, "C1"), (BLACK, "A2"), (WHITE, "D2"), (BLACK, "B3"), (WHITE, "C3")]
    for colour, vertex in [*ko, (WHITE, "B2"), (BLACK, "C2")]:
        board.play(colour, point_of(vertex, 4))
    assert board.stones[point_of("B2", 4)] < 0
    with pytest.raises(IllegalMove):
        board.play(WHITE, point_of("B2", 4))
    board.play(WHITE, point_of("D4", 4))  # The whole board is another one now.
    assert board.is_legal(WHITE, point_of("B2", 4))


def test_undo_brings_back_what_was_taken_and_what_was_set_up():
    game = GoGame(5, 0.5)
    game.place([(BLACK, 0), (BLACK, 6)])
    assert game.turn == WHITE
    boards = []
    for colour, vertex in [(WHITE, "B1"), (BLACK, "C1"), (WHITE, "A2"), (BLACK, "pass")]:
        boards.append(list(game.board.stones))
        game.play(colour, point_of(vertex, 5))
    while boards:
        game.undo()
        assert game.board.stones == boards.pop()
    with pytest.raises(IndexError):
        game.undo()
    assert game.setup == [(BLACK, 0), (BLACK, 6)]


@pytest.mark.parametrize(
    ("moves", "colour", "actions"),
    [
        ("b0 w1", BLACK, "0 1"),
        ("b0 w1", WHITE, "0 1 25"),  # A move of Black's is missing.
        ("b0 b1 w2", BLACK, "0 25 1 2"),
        ("w0", BLACK, "25 0"),
        ("b0 w25 w1", BLACK, "0 1"),  # White took the pass back.
        ("b0 w1 b25 w25 b3", WHITE, "0 1 3"),  # Played on after the end.
        ("b25 w25", BLACK, ""),
    ],
)
def test_turns_are_strict_for_the_policy(moves, colour, actions):
    game = GoGame(5, 0.5)
    for move in moves.split():
        game.play("bw".index(move[0]), int(move[1:]))
    assert game.actions(colour) == [int(action) for action in actions.split()]


def test_vertices_skip_i_and_come_back():
    assert [vertex_of(point, 19) for point in (0, 7, 8, 360, 361)] == [
        "A1",
        "H1",
        "J1",
        "T19",
        "pass",
    ]
    assert all(point_of(vertex_of(point, 13).lower(), 13) == point for point in range(170))
    for wrong in ("I3", "K1", "A0", "A10", "A", "1", "", "A-1", "A²"):
        with pytest.raises(ValueError, match="expected such as A1 or pass"):
            point_of(wrong, 9)


def test_handicaps_are_the_protocols():
    """The specification's table of fixed handicaps."""
    expected = {
        (2, 19): "D4 Q16",
        (3, 19): "D4 Q16 D16",
        (5, 19): "D4 Q16 D16 Q4 K10",
        (6, 13): "D4 K10 D10 K4 D7 K7",
        (7, 9): "C3 G7 C7 G3 C5 G5 E5",
        (9, 19): "D4 Q16 D16 Q4 D10 Q10 K4 K16 K10",
    }
    for (count, size), vertices in expected.items():
        found = [vertex_of(point, size) for point in handicap_points(count, size)]
        assert sorted(found) == sorted(vertices.split())
    assert [most_handicap(size) for size in (5, 7, 8, 9, 19)] == [0, 4, 4, 9, 9]


def test_a_board_is_drawn_from_the_top():
    board = GoBoard(3)
    board.play(BLACK, 0)
    board.play(WHITE, 5)
    drawn = "   A B C\n 3 . . . 3\n 2 . . O 2\n 1 X . . 1\n   A B C"
    assert picture(board) == drawn
    assert [score_text(*pair) for pair in ((3, 0.5), (1, 2), (2, 2))] == ["B+2.5", "W+1", "0"]


def test_sgf_says_what_was_played_and_reads_it_again():
    game = GoGame(9, 6.5)
    game.place([(BLACK, point_of(vertex, 9)) for vertex in ("C3", "G7")])
    for colour, vertex in [(WHITE, "E5"), (BLACK, "A9"), (WHITE, "pass")]:
        game.play(colour, point_of(vertex, 9))
    text = sgf.write(game, {"PB": "a [b]\\", "RE": "B+1"})
    assert text == (
        "(;GM[1]FF[4]CA[UTF-8]SZ[9]KM[6.5]PB[a [b\\]\\\\]RE[B+1]AB[cg][gc]\n;W[ee];B[aa];W[])\n"
    )
    again = sgf.read(text)
    assert (again.setup, again.moves, again.komi) == (game.setup, game.moves, 6.5)
    assert sgf.read(text, 2).moves == game.moves[:1]


def test_of_variations_the_main_line_is_read():
    text = " junk (;SZ[5]C[a \\] ; b (];B[aa](;W[bb]C[x])(;W[cc];B[dd])) (;SZ[9])"
    assert sgf.read(text).moves == [(BLACK, 20), (WHITE, 16)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "no SGF: it has no node"),
        ("(;SZ[x])", "SZ is 'x', expected 2 to 25"),
        ("(;SZ[5];B[zz])", "the SGF cannot be played: 'zz' is no point of the board"),
        ("(;SZ[5];B[aa];W[aa])", "the SGF cannot be played: illegal move"),
        ("(;SZ[5];B{aa})", "no SGF: '{aa})' is neither property nor node"),
    ],
)
def test_a_wrong_sgf_is_one_line(text, line):
    with pytest.raises(UserError) as error:
        sgf.read(text)
    assert str(error.value) == line
