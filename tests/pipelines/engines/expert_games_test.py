"""Protects expert games: as many as asked for, the same ones after a stop, each by the rules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipelines import expert_games as program
from pipelines.engines import sgf
from pipelines.engines.expert_games import Settings, make, path_of
from pipelines.system.errors import UserError

# A program that plays the first point that is free and no suicide, by our own referee.
PLAYER = """
import sys
from pipelines.engines.go_game import GoGame
from pipelines.engines.go_notation import point_of, vertex_of
size, game, seed = 19, None, 0
for line in sys.stdin:
    name, *words = line.split()
    said = ""
    if name == "quit":
        break
    if name == "boardsize":
        size = int(words[0])
    elif name == "clear_board":
        game = GoGame(size, 0.5)
    elif name == "set_random_seed":
        seed = int(words[0])
    elif name == "play":
        game.play("bw".index(words[0]), point_of(words[1], size))
    elif name == "genmove":
        colour = "bw".index(words[0])
        free = [p for p in range(size**2) if game.board.is_legal(colour, p)]
        done = len(game.moves) > 12 or not free
        move = size**2 if done else free[(seed + len(game.moves)) % len(free)]
        game.play(colour, move)
        said = vertex_of(move, size)
    print(f"= {said}\\n", flush=True)
"""


@pytest.fixture
def command(tmp_path) -> str:
    path = tmp_path / "player.py"
    path.write_text(PLAYER)
    root = Path(__file__).resolve().parents[3]
    return f"env PYTHONPATH={root} {sys.executable} {path}"


def settings(command: str, **changes) -> Settings:
    given = dict(size=5, komi=0.5, levels=[0, 3], opening=2, seed=1, seconds=60.0)
    return Settings(command, **(given | changes))


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.glob("*.sgf")}


def test_games_that_are_missing_are_made_and_are_those_that_were_there(tmp_path, command):
    folder = tmp_path / "games"
    assert make(folder, 4, 2, settings(command)) == 4
    whole = texts(folder)
    path_of(folder, 1).unlink()
    assert make(folder, 5, 1, settings(command)) == 2
    again = texts(folder)
    assert sorted(again) == [f"{i:06d}.sgf" for i in range(5)]
    assert {name: again[name] for name in whole} == whole and len(set(again.values())) == 5
    for text in again.values():
        game = sgf.read(text)
        assert game.size == 5 and game.passes == 2 and "level" in text
        assert len(game.setup) in (0, 2, 4)


def test_a_program_that_is_not_there_or_goes_astray_is_named(tmp_path, command):
    with pytest.raises(UserError, match="program 'nowhere' of 'nowhere' is not found"):
        make(tmp_path / "games", 2, 1, settings("nowhere"))
    with pytest.raises(UserError, match="has ended"):
        make(tmp_path / "games", 2, 1, settings("true"))


def test_bad_flags_end_with_one_line(capsys):
    assert program.main(["expert_games.py", "--games=2"]) == 2
    assert capsys.readouterr().err.startswith("error: --folder is missing")
    assert program.main(["expert_games.py", "--size=4"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
