"""What each command of the Go Text Protocol does."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

from pipelines.engines import sgf
from pipelines.engines.clock import CanadianClock
from pipelines.engines.go_board import BLACK, WHITE, IllegalMove
from pipelines.engines.go_notation import (
    colour_of,
    handicap_points,
    most_handicap,
    picture,
    point_of,
    score_text,
    vertex_of,
)
from pipelines.engines.go_player import GoPlayer
from pipelines.engines.player import Line
from pipelines.system.errors import UserError, first_line

NAME, VERSION, PROTOCOL = "Lookahead", "1.0", "2"

Write = Callable[[str], None]
# The answer's text, or what begins an analysis that writes its own.
Answer = str | Callable[[Write], None]
Command = Callable[[GoPlayer, list[str]], Answer]

COMMANDS: dict[str, Command] = {}


class GtpError(Exception):
    """An answer that begins with `?`; its text is the protocol's own where it has one."""


def _command(counts: tuple[int, ...], name: str = "") -> Callable[[Command], Command]:
    """Registers a function under its name, for so many arguments."""

    def register(function: Command) -> Command:
        def checked(player: GoPlayer, arguments: list[str]) -> Answer:
            if len(arguments) not in counts:
                raise GtpError("syntax error")
            return function(player, arguments)

        COMMANDS[name or function.__name__.removeprefix("_")] = checked
        return function

    return register


@_command((0,))
def _protocol_version(player, arguments):
    return PROTOCOL


@_command((0,))
def _name(player, arguments):
    return NAME


@_command((0,))
def _version(player, arguments):
    return VERSION


@_command((1,))
def _known_command(player, arguments):
    return "true" if arguments[0] in COMMANDS else "false"


@_command((0,))
def _list_commands(player, arguments):
    return "\n".join(COMMANDS)


@_command((0,))
def _quit(player, arguments):
    return ""


@_command((1,))
def _boardsize(player, arguments):
    size = _whole(arguments[0])
    if size != player.game.size:
        raise GtpError("unacceptable size")
    player.game.clear()
    return ""


@_command((0,))
def _clear_board(player, arguments):
    player.game.clear()
    return ""


@_command((1,))
def _komi(player, arguments):
    player.game.komi = _number(arguments[0])
    return ""


@_command((1,))
def _fixed_handicap(player, arguments):
    return _place_fixed(player, _whole(arguments[0]), exactly=True)


@_command((1,))
def _place_free_handicap(player, arguments):
    return _place_fixed(player, _whole(arguments[0]), exactly=False)


@_command(tuple(range(2, 500)))
def _set_free_handicap(player, arguments):
    size = player.game.size
    _check_empty(player)
    try:
        points = [point_of(vertex, size) for vertex in arguments]
        if size**2 in points:
            raise GtpError("bad vertex list")
        player.game.place([(BLACK, point) for point in points])
    except ValueError as error:
        raise GtpError("bad vertex list") from error
    return ""


@_command((2,))
def _play(player, arguments):
    try:
        colour, point = colour_of(arguments[0]), point_of(arguments[1], player.game.size)
    except ValueError as error:
        raise GtpError("invalid color or coordinate") from error
    try:
        player.game.play(colour, point)
    except IllegalMove as error:
        raise GtpError("illegal move") from error
    return ""


@_command((1,))
def _genmove(player, arguments):
    return _generate(player, _colour(arguments[0]), played=True)


@_command((1,))
def _reg_genmove(player, arguments):
    return _generate(player, _colour(arguments[0]), played=False)


@_command((0,))
def _undo(player, arguments):
    try:
        player.game.undo()
    except IndexError as error:
        raise GtpError("cannot undo") from error
    return ""


@_command((3,))
def _time_settings(player, arguments):
    main, period, stones = map(_natural, arguments)
    player.clocks = [CanadianClock(main, period, stones) for _ in (BLACK, WHITE)]
    return ""


@_command((3,))
def _time_left(player, arguments):
    colour, seconds, stones = _colour(arguments[0]), _number(arguments[1]), _natural(arguments[2])
    if (clock := player.clocks[colour]) is None:
        clock = player.clocks[colour] = CanadianClock(seconds, 0, 0)
    clock.set(seconds, stones)
    return ""


@_command((0,))
def _final_score(player, arguments):
    return score_text(*player.game.score())


@_command((1,))
def _final_status_list(player, arguments):
    if arguments[0] not in ("alive", "dead", "seki"):
        raise GtpError("syntax error")
    if arguments[0] != "alive":  # All stones that were not taken count as alive.
        return ""
    size = player.game.size
    chains = player.game.board.chains()
    return "\n".join(" ".join(vertex_of(p, size) for p in sorted(chain)) for chain in chains)


@_command((1, 2))
def _loadsgf(player, arguments):
    moves = _natural(arguments[1]) if len(arguments) == 2 else None
    try:
        game = sgf.read(pathlib.Path(arguments[0]).read_text(errors="replace"), moves)
    except (OSError, UserError) as error:
        raise GtpError(f"cannot load file: {first_line(error)}") from error
    if game.size != player.game.size:
        raise GtpError("cannot load file: unacceptable size")
    player.game = game
    return "black" if game.turn == BLACK else "white"


@_command((0, 1))
def _printsgf(player, arguments):
    text = sgf.write(player.game, {})
    if not arguments:
        return text.strip()
    try:
        pathlib.Path(arguments[0]).write_text(text)
    except OSError as error:
        raise GtpError(f"cannot save file: {first_line(error)}") from error
    return ""


@_command((0,))
def _showboard(player, arguments):
    return "\n" + picture(player.game.board)


@_command((0, 1, 2), "lz-analyze")
def _lz_analyze(player, arguments):
    """`lz-analyze [colour] [centiseconds]`: the interval says how often to tell, at most."""
    colour = player.game.turn
    if arguments and not arguments[0].isdigit():
        colour = _colour(arguments.pop(0))
    for interval in arguments:
        _natural(interval)

    def begin(write: Write) -> None:
        size = player.game.size
        player.analyse(colour, lambda lines: write(_lines_text(lines, size)))

    return begin


def _lines_text(lines: list[Line], size: int) -> str:
    parts = []
    for order, line in enumerate(lines):
        moves = [vertex_of(point, size) for point in line.actions]
        winrate = round(5000 * (1 + (line.value or 0.0)))
        parts.append(
            f"info move {moves[0]} visits {line.visits} winrate {winrate} order {order} "
            f"pv {' '.join(moves)}"
        )
    return " ".join(parts) + "\n"


def _generate(player: GoPlayer, colour: int, played: bool) -> str:
    point = player.choose(colour)
    if point is None:
        return "resign"
    if played:
        player.game.play(colour, point)
    return vertex_of(point, player.game.size)


def _place_fixed(player: GoPlayer, count: int, exactly: bool) -> str:
    size, most = player.game.size, most_handicap(player.game.size)
    _check_empty(player)
    if not exactly:  # Fewer stones than were asked for are allowed.
        count = min(count, most) if count >= 2 else count
    if not 2 <= count <= most:
        raise GtpError("invalid number of stones")
    points = handicap_points(count, size)
    player.game.place([(BLACK, point) for point in points])
    return " ".join(vertex_of(point, size) for point in points)


def _check_empty(player: GoPlayer) -> None:
    if player.game.setup or player.game.moves:
        raise GtpError("board not empty")


def _colour(text: str) -> int:
    try:
        return colour_of(text)
    except ValueError as error:
        raise GtpError("invalid color") from error


def _whole(text: str) -> int:
    if not (text.removeprefix("-").isdigit() and text.isascii()):
        raise GtpError("syntax error")
    return int(text)


def _natural(text: str) -> int:
    if (number := _whole(text)) < 0:
        raise GtpError("syntax error")
    return number


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        raise GtpError("syntax error") from error
    if not abs(number) < 1e6:  # Not of NaN either.
        raise GtpError("syntax error")
    return number
