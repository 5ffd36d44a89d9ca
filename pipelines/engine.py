"""Lets other programs, or people, play a board game against a policy that a run has saved.

python pipelines/engine.py --logdir=DIR --protocol=gtp|uci|usi|web [--policy=best|last]
    [--num_simulations=N] [--resign_below=-0.9] [--seed=N] [--port=8000]

Speaks on standard input and output, until `quit` or the input's end: GTP 2 (Go), UCI (chess), USI
(shogi). `web` serves a page to this machine alone, until it is interrupted: a board of any game to
play on, and what the policy thinks of it. The policy is the SavedModel in DIR/policy, the game the
one of DIR/config.gin. A wrong command line ends with one line and status 2; a bad command gets the
protocol's own answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from absl import flags

from pipelines.engines import console
from pipelines.serving import saved_run
from pipelines.system import command_line
from pipelines.system.errors import UserError
from pipelines.system.paths import PathParser

if TYPE_CHECKING:
    from pipelines.engines.player import Player
    from pipelines.engines.uci_options import Options
    from pipelines.engines.uci_player import UciPlayer

_DEFAULT_PORT = 8000
_GAMES = {"gtp": "go", "uci": "chess", "usi": "shogi", "web": None}

_FLAGS = flags.FlagValues()
_LOGDIR = flags.DEFINE(PathParser(), "logdir", None, "Of the run.", flag_values=_FLAGS)
_POLICY = flags.DEFINE_enum(
    "policy", "best", ["best", "last"], "Which of its policies.", flag_values=_FLAGS
)
_PROTOCOL = flags.DEFINE_enum("protocol", None, list(_GAMES), "That is spoken.", flag_values=_FLAGS)
_NUM_SIMULATIONS = flags.DEFINE_integer(
    "num_simulations",
    None,
    "Of a move on which there is no limit; by default the policy's own.",
    lower_bound=1,
    flag_values=_FLAGS,
)
_RESIGN_BELOW = flags.DEFINE_float(
    "resign_below",
    None,
    "It resigns where it expects less than so much, -1 to 1 (gtp); by default never.",
    lower_bound=-1,
    upper_bound=1,
    flag_values=_FLAGS,
)
_PORT = flags.DEFINE_integer(
    "port",
    None,
    f"Of the page (web), by default {_DEFAULT_PORT}; 0: a free one.",
    lower_bound=0,
    upper_bound=65_535,
    flag_values=_FLAGS,
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the policy.", lower_bound=0, flag_values=_FLAGS)


def main(argv: list[str]) -> int:
    """Runs the program; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _play)


def _play() -> None:
    saved_run.find_policy(_LOGDIR.value, _POLICY.value)
    if _PROTOCOL.value is None:
        raise UserError(f"--protocol is missing; expected one of {', '.join(_GAMES)}")

    for flag, protocol in ((_RESIGN_BELOW, "gtp"), (_PORT, "web")):
        if flag.value is not None and _PROTOCOL.value != protocol:
            raise UserError(f"--{flag.name} has no meaning with --protocol={_PROTOCOL.value}")
    if _PROTOCOL.value == "web":
        _web()
        return
    console.serve(_gtp if _PROTOCOL.value == "gtp" else _uci)


def _gtp(write: Callable[[str], None]) -> console.Protocol:
    from pipelines.engines import making
    from pipelines.engines.gtp import Gtp

    return Gtp(making.go_player(_player(), _LOGDIR.value, _RESIGN_BELOW.value), write)


def _uci(write: Callable[[str], None]) -> console.Protocol:
    """Says who it is before TensorFlow is there: programs do not wait long for that."""
    from pipelines.engines import uci

    def load(options: Options) -> UciPlayer:
        from pipelines.engines import making

        return making.uci_player(_player(), _LOGDIR.value, options)

    return uci.Uci(uci.UCI if _PROTOCOL.value == "uci" else uci.USI, load, write)


def _web() -> None:
    from pipelines.engines import making, web
    from pipelines.engines.web_game import WebGame

    game = WebGame(_player(), making.self_play(_LOGDIR.value))
    port = _DEFAULT_PORT if _PORT.value is None else _PORT.value
    web.serve(game, port, lambda line: print(line, flush=True))


def _player() -> Player:
    from pipelines.engines import making

    directory = saved_run.find_policy(_LOGDIR.value, _POLICY.value)
    game = _GAMES[_PROTOCOL.value]
    settings = _NUM_SIMULATIONS.value, _SEED.value
    return making.player_of(_LOGDIR.value, directory, game, *settings, compiled=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
