"""Protects games between players: seats, openings, results, programs that fail, files of games."""

from __future__ import annotations

import functools
import io
import shlex
import sys
import time

import numpy as np
import pytest

from pipelines.engines import arena, sgf
from pipelines.engines.arena import Contestant, Game
from pipelines.engines.child import Child, check_program
from pipelines.engines.contestants import GtpContestant, PolicyContestant, closing
from pipelines.engines.player import Found, Position
from pipelines.engines.records import Record
from pipelines.engines.roster import Roster, Settings
from pipelines.engines.tournament import described, play_all, table
from pipelines.environments import board_game, rules_game
from pipelines.evaluation import ratings
from pipelines.system.errors import UserError
from tests.pipelines.engines.saved import save_run


class Scripted(Contestant):
    """Plays the first legal actions, or what a function says."""

    def __init__(self, name, choose=lambda game: int(np.flatnonzero(game.legal())[0])) -> None:
        self.name, self._choose, self.begun = name, choose, []

    def begin(self, game):
        self.begun.append(game)

    def move(self, games):
        for game in games:
            game.play(self._choose(game))


def go(size: int = 5, komi: float = 0.5, slot: int = 0) -> Game:
    long = f"go(board_size={size},max_game_length=10000)"
    return Game(board_game(seed=0, game=long), slot, komi)


def test_each_player_moves_first_in_half_of_the_games_with_the_same_openings():
    generators = []

    def make_game(slot: int, number: int) -> Game:
        game = Game(board_game(seed=0, game="tic_tac_toe"), slot, 0.0)
        generators.append(number)
        game.open(2, np.random.default_rng(number))
        return game

    first, second = Scripted("a"), Scripted("b")
    ended = []
    outcomes = arena.play(
        first, second, make_game, 6, lambda game, players: ended.append((game, players))
    )
    assert generators == [0, 1, 2] * 2 and [len(seat) for seat in outcomes] == [3, 3]
    assert [players[0].name for _, players in ended] == ["a"] * 3 + ["b"] * 3
    for (early, _), (late, _) in zip(ended[:3], ended[3:], strict=True):
        assert early.actions == late.actions, "two players alike play the same"
    assert outcomes[0] == [-outcome for outcome in outcomes[1]]


def test_a_game_of_go_ends_by_passes_resignation_or_an_illegal_move():
    game = go()
    for action in (12, 25, 25):
        game.play(action)
    assert game.result == (1.0, "B+24.5")
    game = go()
    game.play(12)
    game.play(None)
    assert game.result == (1.0, "resignation")
    game = go()
    game.play(12)
    game.play(12, "C3")
    assert game.result == (1.0, "illegal move C3")


def test_a_board_that_comes_back_is_illegal_in_a_match():
    """OpenSpiel would end the game as a draw."""
    game = go(size=4)
    for action in (1, 2, 4, 7, 9, 10, 16, 5, 6):  # Black took the ko.
        game.play(action)
    assert not game.legal()[5]
    game.play(5)
    assert game.result == (1.0, "illegal move 5")


def test_an_endless_game_of_go_is_counted():
    passing = Scripted("w", lambda game: 4)
    turns = iter(range(1000))
    placing = Scripted("b", lambda game: int(np.flatnonzero(game.legal())[next(turns) * 0]))
    game = go(size=2)
    while game.result is None:
        (placing if game.turn == 0 else passing).move([game])
    assert game.result.outcome in (1.0, -1.0) and len(game.actions) <= 12


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "go")


def roster(logdir, **settings) -> Roster:
    return Roster(Settings(str(logdir), "best", 0, **settings))


@pytest.fixture(scope="module")
def players(logdir):
    return roster(logdir, opening=2)


def engine(logdir) -> str:
    """Our own engine.py as a program."""
    words = [sys.executable, "pipelines/engine.py", f"--logdir={logdir}", "--protocol=gtp"]
    return shlex.join(words)


def test_policies_players_and_programs_meet(players, logdir, tmp_path):
    path = tmp_path / "games.sgf"
    record = Record(str(path), "go", "a match")
    names = [f"gtp:{engine(logdir)}", "simulations:2", "random", "mcts:3"]
    with closing([]) as contestants:
        contestants += [players.make(name) for name in names]
        points = play_all(contestants, players.make_game, 2, record.add)
        children = [child for child in contestants[0]._children.values()]
        processes = [child._process for child in children]
    assert all(process.poll() is not None for process in processes), "none is left behind"
    np.testing.assert_array_equal(points + points.T, 2 * (1 - np.eye(4)))
    games = path.read_text().split("(;")[1:]
    assert len(games) == 12
    for text in games:
        assert len(sgf.read("(;" + text).moves) >= 2 and "illegal" not in text and "+F" not in text
    rows = described(names, ratings.fit(points))
    assert [row["elo"] for row in rows] == sorted((row["elo"] for row in rows), reverse=True)
    assert all(name in table(rows, True) for name in names)


def test_equal_seeds_give_equal_games(players, tmp_path):
    texts = []
    for run in range(2):
        record = Record(str(tmp_path / f"{run}.txt"), "go", "")
        pair = [players.make("simulations:3"), players.make("random")]
        arena.play(*pair, players.make_game, 4, record.add)
        texts.append((tmp_path / f"{run}.txt").read_text())
    assert texts[0] == texts[1] and len(texts[0].splitlines()) == 4


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "nobody",
            "player is 'nobody'; expected one of random, mcts:N, uct:N, perfect",
        ),
        ("mcts:x", "player is 'mcts:x'; expected a positive integer, not 'x'"),
        ("at:64", "player is 'at:64'; expected a run with Experiment.keep_policies = True"),
        ("simulations:65", "player is 'simulations:65'; its policy has room for 64 simulations"),
        ("perfect", "opponent is 'perfect', which plays tic_tac_toe only"),
        ("uci:stockfish", "player is 'uci:stockfish', which plays chess; the run's environment is"),
        ("gtp:", "program is empty; expected a command"),
        ("gtp:no-such-program x", "program 'no-such-program' of 'no-such-program x' is not found"),
        ("policy:/nowhere", "no run in '/nowhere'"),
    ],
)
def test_a_wrong_player_is_one_line(players, name, line):
    with pytest.raises(UserError) as error:
        players.make(name)
    assert str(error.value).startswith(line)


def program(script: str) -> str:
    return shlex.join([sys.executable, "-c", script])


class Onlooker:
    """Is shown positions as a policy's player is, and likes the first legal move."""

    num_actions = 26

    def seen(self, environment, timestep, moves):
        return Position(timestep.observation, moves, timestep.last())

    def search(self, positions, simulations):
        return [Found(int(np.argmax(each.legal)), each.legal, None, 1) for each in positions]


def test_a_policy_whose_games_end_earlier_is_named():
    """Its own environment would begin anew, and show it an empty board."""
    shown = functools.partial(rules_game, seed=0, game="go", size=5, komi=0.5)
    player = PolicyContestant("short", Onlooker(), functools.partial(shown, max_moves=4))
    make_game = lambda slot, number: Game(shown(), slot, 0.5)  # noqa: E731
    with pytest.raises(UserError, match="'short' has learned by other rules: its game is over aft"):
        arena.play(Scripted("first legal"), player, make_game, 2)


class Counting(Scripted):
    """Notes in how many games at once it is asked to move."""

    def __init__(self) -> None:
        super().__init__("counting")
        self.asked: list[int] = []

    def move(self, games):
        self.asked.append(len(games))
        super().move(games)


def test_a_program_runs_as_many_processes_as_it_may_and_its_opponent_sees_them_as_one_batch():
    passes = """
import sys
for line in sys.stdin:
    print("= pass" if line.startswith("genmove") else "=", end="\\n\\n", flush=True)
"""
    counting = Counting()
    with closing([GtpContestant(program(passes), 60.0, processes=3)]) as (passing,):
        outcomes = arena.play(passing, counting, lambda slot, number: go(slot=slot), 8)
        assert len(passing._children) == 3, "each plays on when its game is over"
    assert set(counting.asked) == {3, 1}, "of 4 games from a seat 3 at once, then the last"
    assert [len(seat) for seat in outcomes] == [4, 4]


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("import sys; sys.exit('no book')", "has ended (status 1) at 'name': no book"),
        ("import time; time.sleep(60)", "has not answered 'name' in time (1 seconds)"),
    ],
)
def test_a_program_that_does_not_answer_is_named_and_ended(script, line):
    seconds = 1 if "sleep" in script else 60
    child = Child(program(script), seconds, seconds_to_start=seconds)
    with pytest.raises(UserError) as error:
        child.say("name")
        child.hear("name", child.deadline())
    assert str(error.value).startswith("program '") and line in str(error.value)
    child.close()
    assert child._process.poll() is not None


def test_a_program_that_is_dead_cannot_be_told_anything():
    child = Child(program("pass"), seconds=60)
    child._process.wait()
    with pytest.raises(UserError, match=r"has ended \(status 0\) at 'name'"):
        while True:  # A pipe takes some bytes yet.
            child.say("name")
            child.hear("name", time.monotonic() + 60)
    child.close()


def test_a_command_is_checked_before_it_runs():
    with pytest.raises(UserError, match="is no command"):
        check_program("gnugo 'x")
    check_program(sys.executable)


def test_chess_is_written_as_pgn(tmp_path):
    path = tmp_path / "games.pgn"
    record = Record(str(path), "chess", "fool's mate")
    game = Game(board_game(seed=0, game="chess"), 0, 0.0)
    for move in ("f3", "e5", "g4", "Qh4#"):
        game.play(game.environment.state.string_to_action(move))
    record.add(game, [Scripted("white"), Scripted('the "black"')])
    text = path.read_text()
    assert '[Black "the \\"black\\""]\n[Result "0-1"]' in text
    assert text.endswith("\n1. f3 e5 2. g4 Qh4# 0-1\n\n")
    chess = pytest.importorskip("chess.pgn", reason="python-chess is not installed")
    assert chess.read_game(io.StringIO(text)).end().board().is_checkmate()


def test_the_files_ending_has_to_fit_the_game(tmp_path):
    with pytest.raises(UserError, match=r"expected a file name that ends in \.pgn or"):
        Record(str(tmp_path / "x.sgf"), "chess", "")
