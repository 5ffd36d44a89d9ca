"""Protects engine.py: its command line, its output, and games with programs that others wrote."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys

import pytest

from pipelines import engine, match
from tests.pipelines.engines.saved import save_run

# Debian keeps games where not every PATH looks.
GNUGO = shutil.which("gnugo") or shutil.which("gnugo", path="/usr/games")
STOCKFISH = shutil.which("stockfish") or shutil.which("stockfish", path="/usr/games")


@pytest.fixture(scope="module")
def logdir(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("runs") / "go")


def command(logdir, protocol: str) -> list[str]:
    return [sys.executable, "pipelines/engine.py", f"--logdir={logdir}", f"--protocol={protocol}"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--protocol=gtp"], "--logdir is missing; expected the log directory of a run"),
        (["--logdir=DIR"], "--protocol is missing; expected one of gtp, uci, usi, web"),
        (["--logdir=DIR", "--protocol=xboard"], "--protocol is 'xboard'; expected one of gtp, uci"),
        (
            ["--logdir=DIR", "--protocol=gtp", "--policy=last"],
            "no policy in 'DIR/policy/last'; --policy=best is there",
        ),
        (
            ["--logdir=DIR", "--protocol=uci", "--resign_below=0"],
            "--resign_below has no meaning with --protocol=uci",
        ),
        (
            ["--logdir=DIR", "--protocol=gtp", "--port=8000"],
            "--port has no meaning with --protocol=gtp",
        ),
        (
            ["--logdir=DIR", "--protocol=gtp", "--num_simulations=65"],
            "--num_simulations is 65; expected at most 64, for which the policy was saved",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line(logdir, capfd, arguments, line):
    arguments = [argument.replace("DIR", str(logdir)) for argument in arguments]
    assert engine.main(["pipelines/engine.py", *arguments]) == 2
    out, error = capfd.readouterr()
    assert out == "" and error.startswith("error: " + line.replace("DIR", str(logdir)))
    assert error.count("\n") == 1


def test_help_needs_no_tensorflow():
    script = (
        "import sys\nfrom pipelines import engine\n"
        "assert engine.main(['engine.py', '--help']) == 0\n"
        "assert not {'tensorflow', 'pyspiel', 'gin'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_another_game_than_the_protocols_is_one_line_once_something_needs_it(logdir):
    """`uci` itself is answered before the policy is read."""
    ended = subprocess.run(
        command(logdir, "uci"),
        input="uci\nisready\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert ended.returncode == 2 and ended.stdout.endswith("uciok\n")
    assert ended.stderr == (
        "error: expected a policy that plays chess; the run in "
        f"'{logdir}' plays open_spiel/go(board_size=5)\n"
    )


def test_nothing_but_answers_is_on_standard_output(logdir):
    lines = "name\n\nfoo\nplay b c3\n2 genmove w\nquit\n"
    ended = subprocess.run(
        command(logdir, "gtp"),
        input=lines,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    answers = ended.stdout.split("\n\n")
    assert answers[:3] == ["= Lookahead", "? unknown command", "="]
    assert answers[3].startswith("=2 ") and answers[4:] == ["=", ""]


@pytest.mark.skipif(GNUGO is None, reason="GNU Go is not installed (apt install gnugo)")
def test_gnu_go_plays_without_an_error(logdir, tmp_path, capfd):
    gnugo = f"gtp:{GNUGO} --mode gtp --level 0 --chinese-rules --positional-superko"
    ours = f"gtp:{shlex.join(command(logdir, 'gtp'))}"
    arguments = [f"--logdir={logdir}", f"--player={ours}", f"--player={gnugo}", "--games=4"]
    arguments.append("--seconds=600")
    record = tmp_path / "games.sgf"
    assert match.main(["match.py", *arguments, "--opening=2", f"--record={record}"]) == 0
    result = json.loads(capfd.readouterr().out.splitlines()[0])
    assert sum(row["games"] for row in result["ratings"]) == 8
    text = record.read_text()
    assert text.count("(;GM[1]") == 4 and "+F" not in text, "no illegal move"


@pytest.mark.skipif(STOCKFISH is None, reason="Stockfish is not installed (apt install stockfish)")
def test_stockfish_plays_by_uci(tmp_path, capfd):
    logdir = save_run(tmp_path / "chess", "board_game.game = 'chess'")
    record = tmp_path / "games.pgn"
    arguments = [
        f"--logdir={logdir}",
        f"--opponent=uci:{STOCKFISH}",
        "--uci_go=nodes 2000",
        "--uci_option=Hash=16",
        "--games=2",
        "--num_simulations=2",
        f"--record={record}",
    ]
    assert match.main(["match.py", *arguments]) == 0
    result = json.loads(capfd.readouterr().out.splitlines()[0])
    assert result["all"]["losses"] == 2
    text = record.read_text()
    assert text.count("[Event ") == 2 and text.count("# ") == 2, "both end with mate"
