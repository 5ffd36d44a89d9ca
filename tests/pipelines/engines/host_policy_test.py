"""A saved network of a game that only the host knows plays by search: UCI, USI, matches."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from pipelines import evaluate, match
from pipelines.engines.chess_notation import follow, legal_moves
from pipelines.engines.uci import USI
from pipelines.server.loaded import ROWS, LoadedPolicy
from tests.pipelines.engines.saved import make_player, save_run
from tests.pipelines.engines.uci_session import Session

ALPHAZERO = """
import agents.alphazero
Experiment.builder = @AlphaZeroBuilder()
AlphaZeroConfig.channels = 4
AlphaZeroConfig.blocks = 0
AlphaZeroConfig.value_layers = (4,)
AlphaZeroConfig.num_simulations = 8
AlphaZeroConfig.walks = 2
"""


def saved(folder, game: str):
    return save_run(folder / "run", ALPHAZERO, f"board_game.game = '{game}'")


@pytest.fixture(scope="module")
def chess(tmp_path_factory):
    logdir = saved(tmp_path_factory.mktemp("chess"), "chess")
    return logdir, make_player(logdir, "chess")


@pytest.fixture()
def session(chess):
    session = Session(*chess)
    yield session
    session.protocol.close()


def test_lines_are_those_of_its_search(session):
    game = session.protocol._player().game
    lines = session.search("setoption name MultiPV value 2", "position startpos", "go nodes 40")
    pattern = r"info depth 4 multipv (\d) score cp \S+ nodes 53 nps \d+ time \d+ pv (.+)"
    found = [re.fullmatch(pattern, line).groups() for line in lines[-3:-1]]
    assert [number for number, _ in found] == ["1", "2"]
    for _, moves in found:
        follow(game, None, moves.split())  # By the rules, or it raises.
    first = found[0][1].split()
    assert lines[-1] == f"bestmove {first[0]} ponder {first[1]}"
    moved = session.search("position startpos moves e2e4", "go nodes 4 searchmoves a7a6 h7h6")
    assert moved[-1].split()[1] in ("a7a6", "h7h6")


def test_it_stops_and_goes_on(session):
    session.say("position startpos moves e2e4", "go infinite")
    assert session.say("isready") == ["readyok"]
    assert session.say("stop")[-1].startswith("bestmove ")
    assert session.search("position startpos moves e2e4 e7e5", "go movetime 100")[-1].split()[
        1
    ] in legal_moves(follow(session.protocol._player().game, None, ["e2e4", "e7e5"]).state)


@pytest.mark.parametrize(
    ("fen", "mates"),
    [
        ("6k1/5ppp/8/8/8/8/8/R6K w - - 0 1", ["a1a8"]),
        ("r6k/8/8/8/8/8/5PPP/6K1 b - - 0 1", ["a8a1"]),
    ],
)
def test_whoever_is_to_move_mates(session, fen, mates):
    """A position given as text too is searched from its mover's side."""
    lines = session.search(f"position fen {fen}", "go nodes 300")
    assert lines[-1].split()[1] in mates
    assert int(re.search(r"score cp (-?\d+)", lines[-2])[1]) > 200


def test_shogi_by_usi(tmp_path):
    logdir = saved(tmp_path, "shogi")
    session = Session(logdir, make_player(logdir, "shogi"), dialect=USI)
    line = session.search("usinewgame", "position startpos moves 7g7f 3c3d", "go nodes 8")[-1]
    assert re.fullmatch(r"bestmove [1-9][a-i][1-9][a-i]\+? ponder \S+", line)
    session.protocol.close()


@pytest.fixture(scope="module")
def breakthrough(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("games"), "breakthrough(rows=5,columns=4)")


def played(capsys, *arguments: str) -> dict:
    assert match.main(["match.py", *arguments]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[0])


@pytest.mark.parametrize("opponent", ["random", "simulations:2"])
def test_it_plays_matches_to_their_ends(breakthrough, capsys, opponent):
    """Alone, and as one of two players who are asked about single positions."""
    flags = f"--logdir={breakthrough}", f"--opponent={opponent}", "--games=4", "--seed=3"
    results = [played(capsys, *flags, "--num_simulations=12") for _ in range(2)]
    assert results[0] == results[1], "equal seeds, equal games"
    assert results[0]["all"]["games"] == 4 and results[0]["all"]["draws"] == 0


def test_it_is_evaluated(breakthrough, capsys):
    assert evaluate.main(["evaluate.py", f"--logdir={breakthrough}", "--episodes=2"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["episodes"] == 2


def test_more_simulations_than_there_is_room_for_are_refused(breakthrough, capsys):
    flags = f"--logdir={breakthrough}", "--opponent=simulations:20001"
    assert match.main(["match.py", *flags]) == 2
    assert "its policy has room for 20000 simulations" in capsys.readouterr().err


def test_a_search_in_many_positions_finds_what_single_ones_do(breakthrough):
    player = make_player(breakthrough, "breakthrough")
    positions = [
        player.position(actions) for actions in ([], [int(np.argmax(player.position([]).legal))])
    ]
    both = player.search(positions, 20)
    for position, together in zip(positions, both, strict=True):
        player.restart()
        alone = player.study(position, 20)
        np.testing.assert_allclose(alone.shares, together.shares, atol=1e-6)
        assert sum(each.visits for each in alone.variations) == 20
        assert {each.actions[0] for each in alone.variations} == set(np.flatnonzero(alone.shares))


def test_what_a_server_has_of_it_is_its_network(breakthrough):
    policy = LoadedPolicy(breakthrough / "policy" / "best")
    assert policy.network_alone and "evaluate" not in policy.signatures
    assert "evaluate" not in policy.signature_definitions().signature_def
    inputs = policy.signatures[ROWS].inputs
    legal = np.zeros((2, *inputs["observation_legal_actions"].shape[1:]), bool)
    legal[0, 5] = legal[1, 7] = True
    board = np.ones((2, *inputs["observation_board"].shape[1:]), np.float32)
    shown = {"observation_board": board, "observation_legal_actions": legal}
    outputs = policy.call(ROWS, {**shown, "seed": np.zeros((2, 2), np.int32)})
    np.testing.assert_array_equal(outputs["action"], [5, 7])
    np.testing.assert_allclose(outputs["info_prior"][[0, 1], [5, 7]], [1, 1], atol=1e-6)
