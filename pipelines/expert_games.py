"""Makes games of Go to learn from: a program such as GNU Go plays against itself.

python pipelines/expert_games.py --folder=DIR [--games=1000] [--size=9] [--komi=7.5]
    [--level=0 --level=5 ...] [--opening=4] [--processes=N] [--seed=N]
    [--program='gnugo --mode gtp --chinese-rules --positional-superko --capture-all-dead']

Writes SGF files, DIR/000000.sgf and so on; running again goes on where it was stopped, and equal
settings make equal games. Each side begins with 0 to --opening random stones, which are the game's
setup: nobody learns them. With several --level each side's is drawn anew for each game. Bad input
ends with one line and status 2. GNU Go: `apt install gnugo`.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import sys

from absl import flags

from pipelines.system import command_line
from pipelines.system.errors import UserError
from pipelines.system.paths import PathParser

_GNUGO = "--mode gtp --chinese-rules --positional-superko --capture-all-dead"

_FLAGS = flags.FlagValues()
_FOLDER = flags.DEFINE(PathParser(), "folder", None, "Of the files.", flag_values=_FLAGS)
_GAMES = flags.DEFINE_integer(
    "games", 1000, "That there are in the end.", lower_bound=1, flag_values=_FLAGS
)
_SIZE = flags.DEFINE_integer(
    "size", 9, "Of the board.", lower_bound=5, upper_bound=19, flag_values=_FLAGS
)
_KOMI = flags.DEFINE_float("komi", 7.5, "White's points.", flag_values=_FLAGS)
_LEVELS = flags.DEFINE_multi_integer(
    "level", [], "Of the program; may be repeated; by default its own.", flag_values=_FLAGS
)
_OPENING = flags.DEFINE_integer(
    "opening", 4, "Most random stones of each side.", lower_bound=0, flag_values=_FLAGS
)
_PROCESSES = flags.DEFINE_integer(
    "processes", None, "Of the program; by default one a core.", lower_bound=1, flag_values=_FLAGS
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the games.", lower_bound=0, flag_values=_FLAGS)
_SECONDS = flags.DEFINE_float(
    "seconds", 60.0, "That an answer may take.", lower_bound=0.01, flag_values=_FLAGS
)
_PROGRAM = flags.DEFINE_string(
    "program", None, f"That speaks GTP; by default gnugo {_GNUGO}.", flag_values=_FLAGS
)


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _make)


def _make() -> None:
    from tqdm import tqdm

    from pipelines.engines import expert_games

    if _FOLDER.value is None:
        raise UserError("--folder is missing; expected where the games are written to")
    settings = expert_games.Settings(
        command=_PROGRAM.value or f"{_gnugo()} {_GNUGO}",
        size=_SIZE.value,
        komi=_KOMI.value,
        levels=_LEVELS.value,
        opening=_OPENING.value,
        seed=_SEED.value,
        seconds=_SECONDS.value,
    )
    folder, processes = pathlib.Path(_FOLDER.value), _PROCESSES.value
    with tqdm(total=_GAMES.value, unit="game", disable=None) as bar:
        made = expert_games.make(
            folder,
            _GAMES.value,
            processes or len(os.sched_getaffinity(0)),
            settings,
            lambda number: bar.update(),
        )
    print(f"{folder}: {made} games made, {_GAMES.value - made} were there")


def _gnugo() -> str:
    """Debian has it where shells of root do not look."""
    return shutil.which("gnugo") or shutil.which("gnugo", path="/usr/games") or "gnugo"


if __name__ == "__main__":
    sys.exit(main(sys.argv))
