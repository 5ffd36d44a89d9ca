"""Games of a Go program against itself: at several levels, behind random openings, as SGF files."""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.engines import sgf
from pipelines.engines.child import Child, check_program, gtp_answer
from pipelines.engines.go_game import GoGame
from pipelines.engines.go_notation import point_of, score_text, vertex_of
from pipelines.system import files
from pipelines.system.errors import UserError

# Both players' moves, so many times the points of the board; areas then count as they are.
_LONGEST = 3


class Settings(NamedTuple):
    """How games are played.

    Attributes:
      command: of a program that speaks GTP.
      size, komi: of the board.
      levels: each side's is one of them, drawn for each game; none: the program's own, which is
        not told.
      opening: most random stones of each side before the first move.
      seed: of all draws, the program's included if it knows `set_random_seed`.
      seconds: that an answer may take.
    """

    command: str
    size: int
    komi: float
    levels: Sequence[int]
    opening: int
    seed: int
    seconds: float


def make(
    folder: pathlib.Path,
    games: int,
    processes: int,
    settings: Settings,
    on_game: Callable[[int], None] = lambda number: None,
) -> int:
    """Makes the games that are not in the folder yet: 000000.sgf and so on; returns how many.

    Game i depends on the settings and on i alone.

    Args:
      folder: is made if it is not there.
      games: that there are in the end.
      processes: of the program, side by side.
      settings: of the games.
      on_game: called with the number of each that is written.

    Raises:
      UserError: the program cannot be started, or goes astray; games so far are kept.
    """
    check_program(settings.command)
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    missing = [i for i in range(games) if not path_of(folder, i).exists()]
    numbers, taking, stop = iter(missing), threading.Lock(), threading.Event()

    def work() -> None:
        with _program(settings) as program:
            while not stop.is_set():
                with taking:
                    number = next(numbers, None)
                if number is None:
                    return
                text = play(program, settings, number)
                with files.writing(path_of(folder, number)):
                    files.atomic_write(path_of(folder, number), text)
                on_game(number)

    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        working = [pool.submit(work) for _ in range(min(processes, len(missing)))]
        try:
            for each in concurrent.futures.as_completed(working):
                each.result()
        finally:
            stop.set()
    return len(missing)


def path_of(folder: pathlib.Path, number: int) -> pathlib.Path:
    """Where a game is written to."""
    return folder / f"{number:06d}.sgf"


def play(program: Child, settings: Settings, number: int) -> str:
    """Plays a game, and returns it as SGF: the opening is its setup."""
    random = np.random.default_rng([settings.seed, number])
    game = GoGame(settings.size, settings.komi)
    game.place(_opening(random, settings))
    levels = [int(random.choice(settings.levels)) for _ in range(2)] if settings.levels else []
    with contextlib.suppress(UserError):  # Other programs than GNU Go do not know it.
        gtp_answer(program, f"set_random_seed {int(random.integers(1, 1 << 30))}")
    for line in (f"boardsize {game.size}", "clear_board", f"komi {game.komi:g}"):
        gtp_answer(program, line)
    for colour, point in game.setup:
        gtp_answer(program, f"play {'bw'[colour]} {vertex_of(point, game.size)}")
    resigned = _play_on(program, game, levels)
    black, white = game.score()
    result = resigned or score_text(black, white)
    names = [f"{settings.command.split()[0].rpartition('/')[2]}" for _ in range(2)]
    names = [f"{name} level {level}" for name, level in zip(names, levels, strict=True)] or names
    return sgf.write(game, {"PB": names[0], "PW": names[1], "RE": result})


def _play_on(program: Child, game: GoGame, levels: Sequence[int]) -> str:
    """Plays until the end; returns the result where somebody resigned."""
    while game.passes < 2 and len(game.moves) < _LONGEST * game.size**2:
        colour = len(game.moves) % 2
        if levels and levels[0] != levels[1]:
            gtp_answer(program, f"level {levels[colour]}")
        elif levels and not game.moves:
            gtp_answer(program, f"level {levels[0]}")
        line = f"genmove {'bw'[colour]}"
        vertex = gtp_answer(program, line)
        if vertex.lower() == "resign":
            return f"{'WB'[colour]}+R"
        try:
            game.play(colour, point_of(vertex, game.size))
        except ValueError:
            raise program.wrong(line, vertex) from None
    return ""


def _opening(random: np.random.Generator, settings: Settings) -> list[tuple[int, int]]:
    """As many stones of either side, 0 to `opening` each, on points without neighbours taken."""
    count, size = int(random.integers(settings.opening + 1)), settings.size
    stones: list[tuple[int, int]] = []
    free = set(range(size**2))
    while len(stones) < 2 * count and free:
        point = int(random.choice(sorted(free)))
        column = point % size
        near = {point, point - size, point + size}
        near |= {point - 1} if column > 0 else set()
        near |= {point + 1} if column < size - 1 else set()
        free -= near
        stones.append((len(stones) % 2, point))
    return stones[: len(stones) // 2 * 2]


@contextlib.contextmanager
def _program(settings: Settings) -> Iterator[Child]:
    program = Child(settings.command, settings.seconds)
    try:
        yield program
    finally:
        program.close()
