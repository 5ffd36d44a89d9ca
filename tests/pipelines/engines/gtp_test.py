"""Protects the Go Text Protocol: every command's answer, every kind of error, the clock."""

from __future__ import annotations

import time

import pytest

from pipelines.engines.go_game import GoGame
from pipelines.engines.go_player import GoPlayer
from pipelines.engines.gtp import Gtp
from tests.pipelines.engines.saved import make_player, save_run

SIZE = 7


@pytest.fixture(scope="module")
def player(tmp_path_factory):
    logdir = tmp_path_factory.mktemp("runs") / "go"
    save_run(logdir, f"board_game.game = 'go(board_size={SIZE})'")
    return make_player(logdir, "go")


class Session:
    """A conversation; each answer is what was written since the line was said."""

    def __init__(self, player, **options) -> None:
        self.written: list[str] = []
        self.player = GoPlayer(player, GoGame(SIZE, 7.5), **options)
        self.protocol = Gtp(self.player, self.written.append)

    def say(self, line: str) -> str:
        begin = len(self.written)
        self.protocol.handle(line)
        return "".join(self.written[begin:])


@pytest.fixture()
def session(player):
    session = Session(player)
    yield session
    session.protocol.close()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("protocol_version", "= 2\n\n"),
        ("17 name", "=17 Lookahead\n\n"),
        ("known_command genmove", "= true\n\n"),
        ("known_command fly", "= false\n\n"),
        ("3 fly", "?3 unknown command\n\n"),
        ("boardsize 9", "? unacceptable size\n\n"),
        ("boardsize x", "? syntax error\n\n"),
        ("boardsize", "? syntax error\n\n"),
        ("4 play b i3", "?4 invalid color or coordinate\n\n"),
        ("play red a1", "? invalid color or coordinate\n\n"),
        ("genmove red", "? invalid color\n\n"),
        ("komi nan", "? syntax error\n\n"),
        ("undo", "? cannot undo\n\n"),
        ("fixed_handicap 5", "? invalid number of stones\n\n"),
        ("place_free_handicap 1", "? invalid number of stones\n\n"),
        ("set_free_handicap A1 A1", "? bad vertex list\n\n"),
        ("set_free_handicap A1 pass", "? bad vertex list\n\n"),
        ("loadsgf a b c", "? syntax error\n\n"),
        ("time_settings 1 2", "? syntax error\n\n"),
        ("final_status_list ill", "? syntax error\n\n"),
        ("# nothing", ""),
        ("  ", ""),
        ("\x01 5\tname # whose", "=5 Lookahead\n\n"),
        ("5", "?5 unknown command\n\n"),
    ],
)
def test_each_line_gets_the_protocols_answer(session, line, answer):
    assert session.say(line) == answer


def test_all_commands_are_listed_and_known(session):
    names = session.say("list_commands").removeprefix("= ").split()
    assert {"genmove", "lz-analyze", "quit", "time_left"} <= set(names)
    assert all(session.say(f"known_command {name}") == "= true\n\n" for name in names)


def test_a_game_is_played_taken_back_shown_and_scored(session):
    assert session.say("komi 0.5") == "=\n\n"
    for vertex in ("b1", "a2"):
        assert session.say(f"play w {vertex}") == "=\n\n"
    assert session.say("play b a1") == "? illegal move\n\n", "suicide"
    assert session.say("final_score") == "= W+49.5\n\n"
    assert session.say("play black d4") == "=\n\n"
    assert session.say("final_status_list alive") == "= D4\nB1\nA2\n\n"
    assert session.say("final_status_list dead") == "=\n\n"
    # Stones 1 and 2, the corner between them.
    assert session.say("final_score") == "= W+2.5\n\n"
    for _ in range(3):
        assert session.say("undo") == "=\n\n"
    assert " 4 . . . . . . . 4" in session.say("showboard")
    assert session.say("final_score") == "= W+0.5\n\n"


def test_it_plays_what_it_says_and_in_any_order(session):
    for line in ("genmove b", "genmove b", "genmove w", "play w pass", "genmove w", "genmove b"):
        vertex = session.say(line).removeprefix("= ").strip()
        if line.startswith("genmove"):
            assert vertex == "pass" or vertex[0] in "ABCDEFG"
    assert len(session.player.game.moves) == 6
    before = len(session.player.game.moves)
    assert session.say("reg_genmove b").startswith("= ")
    assert len(session.player.game.moves) == before


def test_handicaps_fill_an_empty_board_alone(session):
    assert session.say("fixed_handicap 2") == "= C3 E5\n\n"
    assert session.say("fixed_handicap 2") == "? board not empty\n\n"
    assert session.say("clear_board") == "=\n\n"
    assert session.say("place_free_handicap 9") == "= C3 E5 C5 E3\n\n"
    assert session.player.game.turn == 1
    assert session.say("boardsize 7") == "=\n\n"
    assert session.say("set_free_handicap A1 B2 C3") == "=\n\n"
    assert session.say("genmove w")[:2] == "= "


def test_a_game_from_a_file_goes_on(session, tmp_path):
    path = tmp_path / "game.sgf"
    session.say("play b c3")
    session.say("play w d4")
    assert session.say(f"printsgf {path}") == "=\n\n"
    session.say("clear_board")
    assert session.say(f"loadsgf {path} 2") == "= white\n\n"
    assert session.say(f"loadsgf {path}") == "= black\n\n"
    assert session.player.game.moves == [(0, 16), (1, 24)]
    assert session.say("loadsgf /nowhere").startswith("? cannot load file: ")
    path.write_text("(;SZ[9])")
    assert session.say(f"loadsgf {path}") == "? cannot load file: unacceptable size\n\n"


def test_a_pass_that_loses_is_answered_with_a_pass(session):
    session.say("play w d4")
    session.say("play b pass")
    assert session.say("genmove w") == "= pass\n\n"


def test_it_resigns_below_its_threshold_alone(player):
    assert Session(player, resign_below=1.0).say("genmove b") == "= resign\n\n"
    assert Session(player, resign_below=-1.0).say("genmove b") != "= resign\n\n"


def test_a_repeated_board_is_refused_and_not_played(session):
    session.say("clear_board")
    for move in ["b b1", "w c1", "b a2", "w d2", "b b3", "w c3", "w b2", "b c2"]:
        assert session.say(f"play {move}") == "=\n\n"
    assert session.say("play w b2") == "? illegal move\n\n"


def test_an_analysis_writes_until_the_next_line(session):
    session.say("9 lz-analyze b 10")
    wait_for(lambda: any("info" in text for text in session.written))
    assert session.say("name").endswith("\n= Lookahead\n\n")
    text = "".join(session.written)
    assert text.startswith("=9\ninfo move ")
    words = next(line for line in text.splitlines() if line.startswith("info")).split()
    assert words[3:9:2] == ["visits", "winrate", "order"] and words[9] == "pv"
    assert 0 <= int(words[6]) <= 10000 and words[2] == words[10]
    assert text.count("\n\n") == 2 and not session.player.analysing
    assert session.player.game.moves == []


def test_the_clock_is_kept(session):
    assert session.say("time_settings 600 0 0") == "=\n\n"
    assert session.say("time_left b 0 0") == "=\n\n"
    assert session.say("genmove b")[:2] == "= ", "even without time it moves"
    assert session.say("time_left b 30 5") == "=\n\n"
    clock = session.player.clocks[0]
    assert 0 < clock.limits(moves_to_go=20).soft < 6, "30 seconds are for five stones"
    clock.moved()
    assert session.say("time_left w x 5") == "? syntax error\n\n"
    assert session.say("time_settings 0 1 0") == "=\n\n"
    assert session.player.clocks[1].unlimited


def test_quit_ends_it(session):
    assert session.protocol.handle("quit") is False
    assert session.written[-1] == "=\n\n"


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
