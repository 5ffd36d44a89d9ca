"""Protects evaluate.py: a saved policy plays as it did, and bad input is one line."""

from __future__ import annotations

import json
import pathlib

import gin
import pytest
from PIL import Image

from pipelines import evaluate
from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun
from pipelines.serving.export import Exporter
from tests.agents import board

TINY = str(pathlib.Path(__file__).parent / "tiny_planet.gin")


@pytest.fixture(scope="module")
def logdir(tmp_path_factory) -> pathlib.Path:
    logdir = tmp_path_factory.mktemp("runs") / "log"
    described = experiment.parse([TINY], ["Experiment.num_episodes = 2"])
    assert LocalRun(described, logdir, 0, gin.operative_config_str).run()
    return logdir


def run(capfd, *arguments: object) -> tuple[int, str, str]:
    status = evaluate.main(["pipelines/evaluate.py", *map(str, arguments)])
    return status, *capfd.readouterr()


def test_episodes_are_played_and_told_as_json_and_in_words(logdir, tmp_path, capfd):
    video = tmp_path / "films" / "first.gif"
    status, out, _ = run(capfd, f"--logdir={logdir}", "--episodes=3", f"--video={video}")
    assert status == 0
    first, second = out.splitlines()
    result = json.loads(first)
    assert result["min"] <= result["mean"] <= result["max"]
    assert result["standard_error"] > 0
    assert (result["episodes"], result["seed"]) == (3, 0)
    assert result["environment"] == "dm_control/cartpole_balance"
    assert result["policy"] == f"{logdir}/policy/best"
    assert second.startswith(f"dm_control/cartpole_balance: mean return {result['mean']:.1f} ± ")
    with Image.open(video) as film:
        assert 2 <= film.n_frames <= 21, "equal neighbours are one frame of a GIF"


def test_a_film_that_cannot_be_written_costs_no_result(logdir, tmp_path, capfd):
    (tmp_path / "file").write_text("")
    video = tmp_path / "file" / "film.gif"
    status, out, error = run(capfd, f"--logdir={logdir}", "--episodes=1", f"--video={video}")
    assert (status, json.loads(out.splitlines()[0])["episodes"]) == (2, 1)
    assert error.startswith(f"error: cannot write {video}: ") and error.count("\n") == 1


def test_equal_seeds_play_equal_episodes_and_others_other_ones(logdir, capfd):
    def lines(seed):
        run(capfd)
        return run(capfd, f"--logdir={logdir}", "--policy=last", "--episodes=1", f"--seed={seed}")[
            1
        ]

    assert lines(1) == lines(1)
    assert (
        json.loads(lines(1).splitlines()[0])["mean"] != json.loads(lines(2).splitlines()[0])["mean"]
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "--logdir is missing; expected the log directory of a run"),
        (["--logdir=nowhere"], "no run in 'nowhere': it has no config.gin"),
        (["--logdir=DIR", "--policy=bst"], "--policy is 'bst'; expected one of best, last"),
        (["--logdir=DIR", "--episodes=0"], "--episodes is '0'; expected a positive integer"),
        (
            ["--logdir=DIR", "--video=film.mp4"],
            "--video is 'film.mp4'; expected a file name that ends in .gif",
        ),
        (["--logdir=DIR", "--polcy=best"], "unknown flag '--polcy'; did you mean '--policy'?"),
    ],
)
def test_bad_input_is_one_line(logdir, capfd, arguments, line):
    arguments = [argument.replace("DIR", str(logdir)) for argument in arguments]
    assert run(capfd, *arguments) == (2, "", f"error: {line}\n")


def test_a_missing_policy_is_one_line_that_says_what_is_there(logdir, tmp_path, capfd):
    (tmp_path / "config.gin").write_text((logdir / "config.gin").read_text())
    expected = f"error: no policy in '{tmp_path}/policy/best'; "
    assert run(capfd, f"--logdir={tmp_path}") == (
        2,
        "",
        f"{expected}the run has not saved any yet\n",
    )
    (tmp_path / "policy" / "last").mkdir(parents=True)
    assert run(capfd, f"--logdir={tmp_path}")[2] == f"{expected}--policy=last is there\n"
    status, _, line = run(capfd, f"--logdir={tmp_path}", "--policy=last")
    assert status == 2
    assert line.startswith(f"error: cannot read the policy {tmp_path}/policy/last: ")
    assert line.count("\n") == 1


def test_another_environment_than_the_policys_is_one_line(logdir, tmp_path, capfd):
    (tmp_path / "policy").symlink_to(logdir / "policy")
    text = (logdir / "config.gin").read_text() + "\ncontrol_suite.image_size = 32\n"
    (tmp_path / "config.gin").write_text(text)
    status, _, line = run(capfd, f"--logdir={tmp_path}")
    assert (status, line) == (
        2,
        "error: the policy takes observations of shape (16, 16, 3); dm_control/cartpole_balance "
        "has (32, 32, 3)\n",
    )


def board_run(directory: pathlib.Path) -> pathlib.Path:
    """What a run leaves that plays itself, and a random player when it is evaluated."""
    text = (
        "import agents.planet\nimport pipelines.environments\n"
        "Experiment.builder = @PlaNetBuilder()\nExperiment.environment = @board_game\n"
        "Experiment.evaluation_environment = @evaluation/board_game\n"
        "evaluation/board_game.opponent = 'random'\n"
    )
    (directory / "config.gin").write_text(text)
    Exporter(board.BoardPolicy()).save(directory / "policy" / "best")
    return directory / "config.gin"


def test_a_policy_of_nests_plays_where_the_run_evaluates(tmp_path, capfd):
    board_run(tmp_path)
    video = tmp_path / "game.gif"
    status, out, _ = run(capfd, f"--logdir={tmp_path}", "--episodes=12", f"--video={video}")
    assert status == 0 and video.is_file()
    result = json.loads(out.splitlines()[0])
    assert (result["min"], result["max"]) == (-1, 1), "in self-play nobody loses by its own move"
    assert (result["episodes"], result["environment"]) == (12, "open_spiel/tic_tac_toe")


def test_another_board_than_the_policys_is_one_line(tmp_path, capfd):
    with open(board_run(tmp_path), "a") as file:
        file.write("evaluation/board_game.history = 2\n")
    status, _, line = run(capfd, f"--logdir={tmp_path}")
    assert (status, line) == (
        2,
        "error: the policy takes observations of shape board (3, 3, 3), legal_actions (9,); "
        "open_spiel/tic_tac_toe has board (3, 3, 6), legal_actions (9,)\n",
    )
