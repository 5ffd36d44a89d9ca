"""Protects UCI and USI: what is said when, limits, stops, ponderhits, lines, errors."""

from __future__ import annotations

import re
import time

import pytest

from pipelines.engines.chess_notation import follow, legal_moves
from pipelines.engines.search_request import Request
from pipelines.engines.uci import USI
from pipelines.engines.uci_options import Options
from tests.pipelines.engines.saved import make_player, save_run
from tests.pipelines.engines.uci_session import Session

MATE_IN_ONE = "r1bqkb1r/pppp1ppp/2n2n2/4p2Q/2B1P3/8/PPPP1PPP/RNB1K1NR w KQkq - 4 4"


def saved(folder, game: str):
    logdir = save_run(folder / game, f"board_game.game = '{game}'")
    return logdir, make_player(logdir, game)


@pytest.fixture(scope="module")
def chess(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("runs"), "chess")


@pytest.fixture()
def session(chess):
    session = Session(*chess)
    yield session
    session.protocol.close()


def test_it_says_who_it_is_and_what_can_be_set(session):
    answer = session.say("uci")
    assert answer[0] == "id name Lookahead" and answer[-1] == "uciok"
    assert "option name MultiPV type spin default 1 min 1 max 64" in answer
    assert session.say("isready") == ["readyok"]


def test_a_move_comes_with_score_and_continuation(session):
    lines = session.search("position startpos moves e2e4 e7e5", "go nodes 16")
    info = [line for line in lines if line.startswith("info")]
    pattern = r"info depth \d+ multipv 1 score cp -?\d+ nodes \d+ nps \d+ time \d+ pv (\S+) (\S+)"
    assert len(info) == 3, "1, 4 and 16 simulations"
    move, reply = re.fullmatch(pattern, info[-1]).groups()
    assert lines[-1] == f"bestmove {move} ponder {reply}"
    assert "nodes 21 " in info[-1]


def test_several_lines_are_ranked_and_different(session):
    lines = session.search("setoption name MultiPV value 3", "position startpos", "go nodes 64")
    last = [re.search(r"multipv (\d) .* pv (\S+)", line).groups() for line in lines[-4:-1]]
    assert [number for number, _ in last] == ["1", "2", "3"]
    assert len({move for _, move in last}) == 3 and lines[-1].startswith(f"bestmove {last[0][1]}")


def test_only_the_moves_asked_for_are_searched(session):
    lines = session.search("position startpos", "go nodes 4 searchmoves a2a4 h2h3")
    assert lines[-1].split()[1] in ("a2a4", "h2h3")


def test_without_a_stop_infinite_gives_no_move(session):
    session.say("position startpos", "go infinite")
    time.sleep(0.5)
    assert not any(line.startswith("bestmove") for line in session.written)
    assert session.say("isready") == ["readyok"], "it answers while it searches"
    assert session.say("stop")[-1].startswith("bestmove ")
    assert session.say("stop") == [], "once"


def test_a_ponderhit_starts_the_clock(session):
    session.say("position startpos moves e2e4", "go ponder wtime 1000 btime 1000")
    time.sleep(0.5)
    assert not any(line.startswith("bestmove") for line in session.written)
    assert session.search("ponderhit")[-1].startswith("bestmove ")


def test_a_new_position_ends_a_search(session):
    session.say("position startpos", "go infinite")
    assert session.say("position startpos moves e2e4")[-1].startswith("bestmove ")
    assert session.search("go nodes 1")[-1].split()[1] in legal_moves(
        follow(session.protocol._player().game, None, ["e2e4"]).state
    )


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("joho", "info string unknown command 'joho'"),
        ("position", "info string error: position is ''; expected startpos or fen ..."),
        ("position startpos moves e2e5", "info string error: illegal move e2e5"),
        (
            "position fen 8/8/8/8/8/8/8/K7 w - - 0 1",
            "info string error: position '8/8/8/8/8/8/8/K7 w - - 0 1' is no FEN with two kings",
        ),
        (
            "position fen 4k3/8/8/8/8/8/8/4K3 w KQkq - 0 1",
            "info string error: position '4k3/8/8/8/8/8/8/4K3 w KQkq - 0 1' is impossible",
        ),
        ("setoption name Hash value 3", "info string error: no option 'Hash'"),
        (
            "setoption name MultiPV value 0",
            "info string error: option MultiPV is '0', expected 1 to 64",
        ),
        ("go nodes many", "info string error: nodes is 'many', expected a number"),
    ],
)
def test_what_is_wrong_is_told_and_passed_over(session, line, answer):
    assert session.say(line) == [answer]
    assert session.say("isready") == ["readyok"]


def test_no_move_is_made_in_a_position_that_was_not_meant(session):
    session.say("position startpos moves e2e4", "position startpos moves e2e5")
    told, move = session.say("go nodes 4")
    assert told.startswith("info string error: the last position") and move == "bestmove 0000"
    session.say("position startpos moves e2e4", "ucinewgame")
    move = session.search("go nodes 4")[-1].split()[1]
    assert move[1] in "12", "White's, of the new game"


def test_unknown_words_before_a_command_are_passed_over(session):
    assert session.say("joho isready") == ["readyok"]
    assert session.protocol.handle("quit") is False


def test_at_the_end_there_is_no_move(session):
    fen = MATE_IN_ONE.replace(" 4 4", "")
    session.say(f"position fen {fen} moves h5f7")
    assert session.say("go nodes 1") == ["bestmove 0000"]


def test_a_draw_that_nobody_has_claimed_is_played_on(chess):
    game = chess[1]._environment.state.get_game()
    shuffle = ["g1f3", "g8f6", "f3g1", "f6g8"]
    line = follow(game, None, shuffle * 3)
    assert line.start is not None and not line.state.is_terminal()
    assert "g1f3" in legal_moves(line.state)


def test_promotions_and_castling_are_written_as_uci_has_them(chess):
    game = chess[1]._environment.state.get_game()
    state = follow(game, "r3k3/6P1/8/8/8/8/8/4K2R w Kq - 0 1", []).state
    assert {"g7g8q", "g7g8n", "e1g1"} <= set(legal_moves(state))
    after = follow(game, "r3k3/6P1/8/8/8/8/8/4K2R w Kq - 0 1", ["e1g1"]).state
    assert "e8c8" in legal_moves(after)


def test_black_to_move_is_seen_from_blacks_side(chess):
    """A position given as text looks as it does within a game."""
    _, player = chess
    game = player._environment.state.get_game()
    line = follow(game, None, ["e2e4"])
    played = player.position(line.actions)
    given = player.position([], str(line.state))
    # The newest position; the game has an older one too.
    newest = (played.observation["board"].shape[2] - 1) // 2
    seen = [p.observation["board"][..., :newest] for p in (played, given)]
    assert (seen[0] == seen[1]).all()
    assert (played.observation["board"][..., -1] == given.observation["board"][..., -1]).all()
    assert (played.legal == given.legal).all()


def test_limits_follow_the_side_and_the_words():
    request = Request.of(["wtime", "60000", "btime", "1000", "winc", "100", "movestogo", "9", "x"])
    assert 5 < request.limits(True, 0.05).soft < 7 and request.limits(False, 0.05).soft < 0.2
    assert Request.of(["infinite"]).limits(True, 0.05).until_stopped
    assert Request.of(["movetime", "200"]).limits(True, 0.05).hard == pytest.approx(0.15)
    byoyomi = Request.of(["btime", "0", "wtime", "0", "byoyomi", "10000"]).limits(True, 0.05)
    assert 9 < byoyomi.soft <= byoyomi.hard < 10
    assert Request.of([]).limits(True, 0.05) == (float("inf"), float("inf"), False)


def test_options_are_set_by_name_in_any_case():
    options = Options()
    options.set("multipv", "4")
    options.set("Move Overhead", "7")
    options.set("USI_Ponder", "true")
    assert (options.lines, options.overhead, options.ponder) == (4, 7, True)


def test_shogi_by_usi(tmp_path):
    session = Session(*saved(tmp_path, "shogi"), dialect=USI)
    assert session.say("usi")[-1] == "usiok"
    session.say("usinewgame", "position startpos moves 7g7f 3c3d")
    assert re.fullmatch(r"bestmove \S+ ponder \S+", session.search("go nodes 4")[-1])
    start = "lnsgkgsnl/1r5b1/ppppppppp/9/9/9/PPPPPPPPP/1B5R1/LNSGKGSNL w -"
    move = session.search(f"position sfen {start} moves 3c3d", "go nodes 4")[-1].split()[1]
    assert re.fullmatch(r"[1-9][a-i][1-9][a-i]\+?", move)
    assert session.say("go mate 1000") == ["checkmate notimplemented"]
    assert session.say("position sfen x")[0].startswith("info string error: position 'x")
    session.protocol.close()
