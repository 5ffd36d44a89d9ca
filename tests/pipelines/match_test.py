"""Protects match.py: games are shared out by seat, counted rightly, and told with an interval."""

from __future__ import annotations

import functools
import json
import pathlib
import subprocess
import sys

import numpy as np
import pyspiel
import pytest
import tensorflow as tf

from agents.actor import Actor
from agents.policy import Policy
from pipelines import match
from pipelines.environments import board_game
from pipelines.environments.opponents import best_actions
from pipelines.serving.export import Exporter

CONFIG = """
import agents.planet
import pipelines.environments
Experiment.builder = @PlaNetBuilder()
Experiment.environment = @{environment}
{bindings}
"""


class LegalPolicy(Policy):
    """Uniform over the legal actions."""

    def __init__(self, environment) -> None:
        super().__init__(name="legal_policy")
        self.observation_spec = {
            name: tf.TensorSpec(spec.shape, spec.dtype, name)
            for name, spec in environment.observation_spec().items()
        }
        self.action_spec = tf.TensorSpec([], tf.int32)

    def initial_state(self, batch_size):
        return {}

    @tf.function(autograph=False)
    def step(self, observation, state, seed):
        logits = tf.where(observation["legal_actions"], 0.0, -1e9)
        action = tf.random.stateless_categorical(logits, 1, seed, tf.int32)
        return action[:, 0], state, {}


class PerfectActor:
    """Plays tic-tac-toe perfectly from what it sees; counts the games that it began."""

    writes = False

    def __init__(self) -> None:
        self.games = 0

    def observe_first(self, row, timestep):
        self.games += 1

    def observe(self, row, step):
        assert step.timestep.reward >= 0

    def recorded(self, row):
        return {}

    def select_action(self, timesteps, active):
        return np.array([self._act(timestep) for timestep in timesteps], np.int32)

    def _act(self, timestep) -> int:
        if timestep.last():
            return 0
        board = timestep.observation["board"].reshape(9, 3)
        own, other = np.flatnonzero(board[:, 0]), np.flatnonzero(board[:, 1])
        first, second = (own, other) if len(own) == len(other) else (other, own)
        moves = np.full(9, -1)
        moves[: 2 * len(first) : 2], moves[1 : 2 * len(second) : 2] = first, second
        state = pyspiel.load_game("tic_tac_toe").new_initial_state()
        for move in moves[moves >= 0]:
            state.apply_action(move)
        action = best_actions(state)[0]
        assert timestep.observation["legal_actions"][action]
        return action


def legal_actor(environment, batch, seed: int) -> Actor:
    return Actor(LegalPolicy(environment), batch.batch_size, seed)


def test_a_perfect_policy_loses_to_nobody_from_either_seat():
    actors = []

    def make_actor(batch, seed):
        actors.append(PerfectActor())
        return actors[-1]

    for opponent, beaten in (("perfect", False), ("random", True)):
        make_game = functools.partial(lambda o, seed: board_game(seed=seed, opponent=o), opponent)
        outcomes = match.play_match(make_game, make_actor, games=40, seed=3)
        assert [len(rewards) for rewards in outcomes] == [20, 20]
        tallied = match.tally([*outcomes[0], *outcomes[1]])
        assert tallied["losses"] == 0 and (tallied["wins"] > 25) == beaten
        assert beaten or tallied["draws"] == 40
    assert [actor.games for actor in actors] == [20] * 4


def test_who_moves_first_is_told_apart():
    """In tic-tac-toe between random players the first wins about twice as often."""
    make_game = functools.partial(board_game, opponent="random")
    environment = make_game(seed=0)
    outcomes = match.play_match(
        lambda seed: make_game(seed=seed),
        functools.partial(legal_actor, environment),
        games=4 * match.MAX_SIDE_BY_SIDE + 4,  # Three batches from each seat.
        seed=0,
    )
    first, second = map(match.tally, outcomes)
    assert first["games"] == second["games"] == 2 * match.MAX_SIDE_BY_SIDE + 2
    assert first["wins"] > first["losses"] and second["wins"] < second["losses"]


def test_wins_draws_and_losses_are_counted_and_scored():
    tallied = match.tally([1.0, 1.0, 0.0, -1.0])
    counts = {name: tallied[name] for name in ("games", "wins", "draws", "losses", "score")}
    assert counts == {"games": 4, "wins": 2, "draws": 1, "losses": 1, "score": 0.625}


@pytest.mark.parametrize(
    ("score", "games", "low", "high"),
    [
        # Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
        (81 / 263, 263, 0.2553, 0.3662),
        (15 / 148, 148, 0.0624, 0.1605),
        (0.0, 20, 0.0, 0.1611),
        (1 / 29, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(score, games, low, high):
    np.testing.assert_allclose(match.wilson_interval(score, games), (low, high), atol=5e-5)


def write_run(logdir: pathlib.Path, environment: str = "board_game", bindings: str = "") -> None:
    logdir.mkdir(exist_ok=True)
    text = CONFIG.format(environment=environment, bindings=bindings)
    (logdir / "config.gin").write_text(text)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory) -> pathlib.Path:
    logdir = tmp_path_factory.mktemp("runs") / "log"
    # A match begins on the empty board, whatever the run did.
    bindings = "board_game.game = 'connect_four'\nboard_game.random_opening = 6"
    write_run(logdir, bindings=bindings)
    (logdir / "policy").mkdir()
    environment = board_game(seed=0, game="connect_four")
    Exporter(LegalPolicy(environment)).save(logdir / "policy" / "best")
    return logdir


def run(capfd, *arguments: object) -> tuple[int, str, str]:
    status = match.main(["pipelines/match.py", *map(str, arguments)])
    return status, *capfd.readouterr()


def test_a_saved_policy_plays_and_the_result_is_told_as_json_and_in_words(logdir, capfd):
    arguments = (f"--logdir={logdir}", "--opponent=mcts", "--simulations=30", "--games=20")
    status, out, _ = run(capfd, *arguments)
    assert status == 0
    first, second = out.splitlines()
    result = json.loads(first)
    assert result["environment"] == "open_spiel/connect_four"
    assert (result["opponent"], result["simulations"], result["seed"]) == ("mcts", 30, 0)
    assert result["policy"] == f"{logdir}/policy/best"
    for key in ("games", "wins", "draws", "losses"):
        assert result["all"][key] == result["first"][key] + result["second"][key]
    assert result["first"]["games"] == 10 and result["all"]["losses"] >= 16
    assert second.startswith(
        f"open_spiel/connect_four against mcts (30 simulations): score {result['all']['score']:.3f}"
    )
    assert run(capfd, *arguments)[1] == out, "equal seeds give equal games"
    assert run(capfd, *arguments, "--seed=1")[1] != out


def test_what_the_run_bound_for_its_opponent_is_overridden(logdir, tmp_path, capfd):
    write_run(
        tmp_path,
        bindings="board_game.game = 'connect_four'\nboard_game.opponent = 'mcts'\n"
        "board_game.opponent_simulations = 500",
    )
    (tmp_path / "policy").symlink_to(logdir / "policy")
    outs = [
        run(capfd, f"--logdir={directory}", "--opponent=random", "--games=10")[1]
        for directory in (logdir, tmp_path)
    ]
    results = [json.loads(out.splitlines()[0]) for out in outs]
    assert results[0]["all"] == results[1]["all"] and results[1]["simulations"] is None


def test_players_are_rated_and_their_games_written(logdir, tmp_path, capfd):
    """A tree search is stronger than chance; the saved policy, which plays by chance, is not."""
    path = tmp_path / "games.txt"
    arguments = ("--player=mcts:40", "--player=pure chance=random", f"--player=policy:{logdir}")
    status, out, error = run(
        capfd,
        f"--logdir={logdir}",
        *arguments,
        "--games=12",
        "--opening=2",
        f"--record={path}",
        f"--figure={tmp_path / 'ratings.png'}",
    )
    assert status == 0
    result = json.loads(out.splitlines()[0])
    assert result["players"] == ["mcts:40", "random", f"policy:{logdir}"]
    assert result["labels"] == ["mcts:40", "pure chance", f"policy:{logdir}"]
    points = np.array(result["points"])
    np.testing.assert_array_equal(points + points.T, 12 * (1 - np.eye(3)))
    rows = result["ratings"]
    assert {row["player"] for row in rows} == set(result["labels"])
    assert rows[0]["player"] == "mcts:40" and rows[0]["elo"] > rows[1]["elo"] + 200
    assert rows[0]["games"] == 24 and rows[0]["low"] < rows[0]["elo"] < rows[0]["high"]
    assert out.splitlines()[1].split() == ["player", "Elo", "95", "%", "interval", "games", "score"]
    assert f"mcts:40 against random: {points[0, 1]:g} of 12" in error
    assert (tmp_path / "ratings.png").read_bytes()[1:4] == b"PNG"
    lines = path.read_text().splitlines()
    assert len(lines) == 36 and all(len(line.split("\t")) == 4 for line in lines)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--opponent=random"], "--logdir is missing; expected the log directory of a run"),
        (["--logdir=DIR"], "--opponent is missing; expected a player, such as random, see --help"),
        (
            ["--logdir=DIR", "--opponent=stockfish"],
            "player is 'stockfish'; expected one of random, mcts:N, uct:N, perfect, policy:RUN, "
            "policy:RUN@N, simulations:N, at:EPISODES, at:EPISODES@N, gtp:COMMAND, uci:COMMAND",
        ),
        (
            ["--logdir=DIR", "--opponent=gtp:gnugo"],
            "player is 'gtp:gnugo', which plays go; the run's environment is "
            "open_spiel/connect_four",
        ),
        (
            ["--logdir=DIR", "--player=a=random", "--player=a=mcts"],
            "--player is 'a' twice; expected players or labels that differ",
        ),
        (
            ["--logdir=DIR", "--player=random"],
            "--player is 'random' alone; expected two or more, or --opponent",
        ),
        (
            ["--logdir=DIR", "--opponent=random", "--opening=3"],
            "--opening is '3'; expected an even number",
        ),
        (
            ["--logdir=DIR", "--opponent=random", "--record=games.sgf"],
            "--record is 'games.sgf'; expected a file name that ends in .txt",
        ),
        (
            ["--logdir=DIR", "--opponent=random", "--opening=2", "--uci_option=Hash"],
            "--uci_option is 'Hash'; expected NAME=VALUE",
        ),
        (
            ["--logdir=DIR", "--opponent=perfect"],
            "opponent is 'perfect', which plays tic_tac_toe only; expected one of random, mcts for "
            "connect_four",
        ),
        (
            ["--logdir=DIR", "--opponent=random", "--games=7"],
            "--games is '7'; expected an even number, half from each seat",
        ),
        (
            ["--logdir=DIR", "--opponent=random", "--policy=last"],
            "no policy in 'DIR/policy/last'; --policy=best is there",
        ),
        (
            ["--logdir=DIR", "--opponent=mcts", "--simulations=0"],
            "--simulations is '0'; expected a positive integer",
        ),
        (
            ["--logdir=DIR", "--opponent=random", "--num_simulations=5"],
            "the saved policy has no option 'num_simulations'; expected none",
        ),
        (
            ["--logdir=DIR", "--player=random", "--player=mcts", "--num_simulations=5"],
            "--num_simulations is '5'; with --player expected simulations:N, at:EPISODES@N or "
            "policy:RUN@N",
        ),
        (["--oponent=mcts"], "unknown flag '--oponent'; did you mean '--opponent'?"),
    ],
)
def test_bad_input_is_one_line(logdir, capfd, arguments, line):
    arguments = [argument.replace("DIR", str(logdir)) for argument in arguments]
    expected = f"error: {line}\n".replace("DIR", str(logdir))
    assert run(capfd, *arguments) == (2, "", expected)


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        (
            "classic_control",
            "the run's environment is gymnasium/CartPole-v1; expected a board game",
        ),
        (
            "board_game",
            "the policy takes observations of shape board (6, 7, 3), legal_actions (7,); "
            "open_spiel/tic_tac_toe has board (3, 3, 3), legal_actions (9,)",
        ),
    ],
)
def test_another_environment_is_one_line(logdir, tmp_path, capfd, environment, line):
    write_run(tmp_path, environment)
    (tmp_path / "policy").symlink_to(logdir / "policy")
    status, out, error = run(capfd, f"--logdir={tmp_path}", "--opponent=random")
    assert (status, out, error) == (2, "", f"error: {line}\n")


def test_help_needs_no_tensorflow():
    script = (
        "import sys\nfrom pipelines import match\nassert match.main(['match.py', '--help']) == 0\n"
        "assert not {'tensorflow', 'pyspiel'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
