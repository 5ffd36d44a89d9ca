"""From a log directory to a player, and to a protocol that it speaks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pipelines.configuration import experiment
from pipelines.engines.console import Protocol
from pipelines.engines.go_game import GoGame
from pipelines.engines.go_player import GoPlayer
from pipelines.engines.gtp import Gtp
from pipelines.engines.player import Player
from pipelines.serving import saved_run
from pipelines.serving.export import SavedPolicy
from pipelines.system.errors import UserError

GAMES = {"gtp": "go", "uci": "chess", "usi": "shogi"}

# OpenSpiel ends a game of Go as a draw after 2 N² moves, which programs do not know of.
_LONGEST_GAME = 100_000


def player(
    logdir: str,
    directory: str | os.PathLike[str],
    protocol: str,
    simulations: int | None = None,
    seed: int = 0,
) -> Player:
    """Makes a player of the policy in `directory`.

    Args:
      logdir: of the run that saved it.
      directory: of the SavedModel.
      protocol: one of `GAMES`, whose game it has to play.
      simulations: of a move; None: the policy's own.
      seed: of its randomness.

    Raises:
      UserError: it plays another game, or cannot be read.
    """
    environment = self_play(logdir)
    if environment.game_name != GAMES[protocol]:
        raise UserError(
            f"--protocol={protocol} plays {GAMES[protocol]}; the run's environment is "
            f"{environment.name}"
        )
    policy = SavedPolicy(directory)
    saved_run.check_observation(policy, environment.observation_spec(), environment.name)
    made = Player(policy, environment, simulations, seed)
    made.search([made.position([])], 1)  # The first one takes longer, before any clock runs.
    return made


def self_play(logdir: str) -> Any:
    """The run's environment, as a game of two without a random opening.

    Raises:
      UserError: it is no board game.
    """
    described = experiment.parse_saved(logdir)
    environment = described.environment(seed=0)
    if not hasattr(environment, "game_name"):
        raise UserError(f"the run's environment is {environment.name}; expected a board game")
    settings: dict[str, Any] = {"opponent": None, "random_opening": 0}
    if environment.game_name == "go" and hasattr(environment, "state"):
        # Game and limit are those of the run but for the end.
        options = environment.state.get_game().get_parameters()
        text = f"go(board_size={options['board_size']},komi={options['komi']}"
        settings |= {"game": f"{text},max_game_length={_LONGEST_GAME})", "max_moves": None}
    return described.environment(seed=0, **settings)


def protocol(
    name: str, player: Player, resign_below: float | None, write: Callable[[str], None]
) -> Protocol:
    """Makes the handler of `name`, one of `GAMES`."""
    size = round((player.num_actions - 1) ** 0.5)
    return Gtp(GoPlayer(player, GoGame(size, 7.5), resign_below), write)
