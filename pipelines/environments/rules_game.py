"""Makes the games of `ops.games`; what needs TensorFlow is imported when one is made."""

from __future__ import annotations

import gin

from pipelines.environments.arguments import check_choice, check_flag, check_integer
from pipelines.environments.two_players import TwoPlayerGame, check_opening


@gin.configurable(module="pipelines.environments")
def rules_game(
    *,
    seed: int,
    game: str = "connect_four",
    size: int | None = None,
    komi: float | None = None,
    superko: bool | None = None,
    suicide: bool | None = None,
    max_moves: int | None = None,
    history: int | None = None,
    opponent: str | None = None,
    opponent_simulations: int = 100,
    random_opening: int = 0,
    resignation: bool = False,
    planes: bool = False,
) -> TwoPlayerGame:
    """Makes one of the games of `ops.games`.

    Args:
      seed: of the opponent's randomness; with an even one the learner moves first in the first
        game, then second, and so on; with an odd one the other way round.
      game: one of `ops.games.GAMES`.
      size, komi, superko, suicide, max_moves, history: as in `ops.games.make`.
      opponent: None, self-play; 'random', uniform over legal moves; 'mcts', OpenSpiel's tree search
        with random rollouts, where OpenSpiel has the game, and a search of ours elsewhere; 'uct',
        that search of ours; 'perfect', tic-tac-toe only.
      opponent_simulations: of each of the 'mcts' and 'uct' opponents' moves.
      random_opening: self-play starts behind 0 to so many uniformly random moves, each number as
        likely, so that it sees positions that good play does not lead to.
      resignation: there is one action more, the last one, by which the mover gives up.
      planes: observations hold the planes that a network sees, not the packed state.

    Raises:
      UserError: there is no such game or opponent, or a value is out of range.
    """
    from ops.games import GAMES
    from pipelines.environments.rules_environment import RulesGame, rules_of_game
    from pipelines.environments.rules_opponents import make_opponent

    check_choice("rules_game.game", game, GAMES)
    rules = rules_of_game(
        game,
        size=size,
        komi=komi,
        superko=superko,
        suicide=suicide,
        max_moves=max_moves,
        history=history,
    )
    check_integer("rules_game.opponent_simulations", opponent_simulations, 1)
    check_flag("rules_game.resignation", resignation)
    check_flag("rules_game.planes", planes)
    check_opening("rules_game", random_opening, opponent)
    player = None if opponent is None else make_opponent(opponent, rules, opponent_simulations)
    return RulesGame(rules, seed, player, random_opening, resignation, planes)
