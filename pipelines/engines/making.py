"""From a log directory to a player, and to a protocol that it speaks."""

from __future__ import annotations

import os
from typing import Any

from pipelines.configuration import experiment
from pipelines.engines.go_game import GoGame
from pipelines.engines.go_player import GoPlayer
from pipelines.engines.player import Player
from pipelines.engines.uci_options import Options
from pipelines.engines.uci_player import UciPlayer
from pipelines.serving import in_play, saved_run
from pipelines.system.errors import UserError

# OpenSpiel ends a game of Go as a draw after 2 N² moves, which programs do not know of.
_LONGEST_GAME = 100_000


def player_of(
    logdir: str,
    directory: str | os.PathLike[str],
    game: str | None,
    simulations: int | None = None,
    seed: int = 0,
    compiled: bool = False,
) -> Player:
    """Makes a player of the policy in `directory`.

    Args:
      logdir: of the run that saved it.
      directory: of the SavedModel.
      game: that it has to play; None: any.
      simulations: of a move; None: the policy's own.
      seed: of its randomness.
      compiled: XLA compiles its searches in a single position, where they can be.

    Raises:
      UserError: it plays another game, or cannot be read.
    """
    environment = self_play(logdir)
    if game is not None and environment.game_name != game:
        raise UserError(
            f"expected a policy that plays {game}; the run in '{logdir}' plays {environment.name}"
        )
    policy = in_play.load(directory, experiment.parse_saved(logdir), compiled)
    saved_run.check_observation(policy, environment.observation_spec(), environment.name)
    made = Player(policy, environment, simulations, seed)
    # The first ones take longer, before any clock runs.
    first = made.position([])
    made.search([first], 1)
    if compiled:
        made.study(first, 2)
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
    if openspiel := hasattr(environment, "state"):
        settings["max_moves"] = None  # Programs know of no last move but the rules' own.
    if openspiel and environment.game_name == "go":
        options = environment.state.get_game().get_parameters()
        text = f"go(board_size={options['board_size']},komi={options['komi']}"
        settings["game"] = f"{text},max_game_length={_LONGEST_GAME})"
    made = described.environment(seed=0, **settings)
    made.name = environment.name
    return made


def go_player(player: Player, logdir: str, resign_below: float | None) -> GoPlayer:
    """The player with the board and the komi of the run in `logdir`."""
    size = round((player.num_actions - 1) ** 0.5)
    return GoPlayer(player, GoGame(size, self_play(logdir).komi), resign_below)


def uci_player(player: Player, logdir: str, options: Options) -> UciPlayer:
    """The player with the rules of the run in `logdir`."""
    return UciPlayer(player, self_play(logdir).state.get_game(), options)
