"""Games whose rules are TensorFlow ops (`ops.games`), as dm_env: a search plays on in the graph."""

from __future__ import annotations

import functools
from typing import Any

import gin
import numpy as np
from dm_env import specs

from agents.boards.observations import StateSpec
from ops import games
from pipelines.environments import board_drawing
from pipelines.environments.arguments import check_choice, check_flag, check_integer
from pipelines.environments.board_layouts import LAYOUTS
from pipelines.environments.host_rules import PositionRules
from pipelines.environments.opponents import Opponent
from pipelines.environments.rules_opponents import make_opponent
from pipelines.environments.two_players import Observation, TwoPlayerGame, check_opening
from pipelines.system.errors import UserError, first_line


class RulesGame(TwoPlayerGame):
    """One game of `ops.games`.

    Observations hold `state`, uint8 [S], the packed position, whose spec has the rules that read it
    and make planes of it; with `planes` they hold `board` instead, float32 [H, W, P], the planes
    that the player to move sees. For the rest see `TwoPlayerGame`.

    Attributes:
      rules: of the game.
      position: of the game in progress.
      actions: played in it, a random opening's included.
    """

    def __init__(
        self,
        rules: games.Rules,
        seed: int,
        opponent: Opponent | None,
        random_opening: int,
        resignation: bool,
        planes: bool,
    ) -> None:
        """Makes a game by these rules; see `rules_game`."""
        self.rules, self._planes = rules, planes
        self._host = PositionRules.of(rules)
        self._layout = LAYOUTS[rules.name]
        super().__init__(
            f"rules/{described(rules)}",
            rules.num_actions,
            seed,
            opponent,
            random_opening,
            resignation,
        )

    def render(self, height: int = 240, width: int = 240) -> np.ndarray:
        """See `TwoPlayerGame.render`."""
        boards = self.rules.board(np.stack([self._previous, self.position.state])).numpy()
        previous, position = (_drawn(board, self._layout) for board in boards)
        return board_drawing.draw(self._layout, position, previous, height, width)

    def _begin(self) -> None:
        self.position = self._host.start
        self._previous = self.position.state
        self.actions: list[int] = []
        self._result = 0.0

    def _move(self, action: int) -> None:
        self._previous = self.position.state
        sign = 1.0 if self._turn() == 0 else -1.0
        self.position = self._host.step(self.position.state, action)
        self._result = sign * self.position.reward
        self.actions.append(action)

    def _turn(self) -> int:
        return len(self.actions) % 2

    def _over(self) -> bool:
        return self.position.over

    def _outcome(self, player: int) -> float:
        return self._result if player == 0 else -self._result

    def _legal_actions(self) -> list[int]:
        return np.flatnonzero(self.position.legal).tolist()

    def _seen(self, viewer: int) -> Observation:
        if self._planes:
            return {"board": self._host.observe(self.position.state)}
        return {"state": self.position.state}

    def _seen_spec(self) -> dict[str, specs.Array]:
        if self._planes:
            shape = self.rules.observation_shape
            return {"board": specs.BoundedArray(shape, np.float32, 0.0, 1.0, name="board")}
        return {"state": StateSpec(self.rules)}

    def _for_opponent(self) -> Any:
        return self


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
) -> RulesGame:
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
    check_choice("rules_game.game", game, games.GAMES)
    options = (size, komi, superko, suicide, max_moves, history)
    rules = _rules(game, *options)
    check_integer("rules_game.opponent_simulations", opponent_simulations, 1)
    check_flag("rules_game.resignation", resignation)
    check_flag("rules_game.planes", planes)
    check_opening("rules_game", random_opening, opponent)
    player = None if opponent is None else make_opponent(opponent, rules, opponent_simulations)
    return RulesGame(rules, seed, player, random_opening, resignation, planes)


def described(rules: games.Rules) -> str:
    """'go(9,7.5)': the game, and what it is played with where it leaves a choice."""
    options = rules.options
    chosen = [options.height] if rules.name in ("othello", "go") else []
    chosen += [options.komi] if rules.name == "go" else []
    return rules.name + (f"({','.join(f'{value:g}' for value in chosen)})" if chosen else "")


@functools.cache
def _rules(game: str, size, komi, superko, suicide, max_moves, history) -> games.Rules:
    """The rules, the same object for all environments of a run."""
    options = dict(size=size, komi=komi, superko=superko, suicide=suicide, max_moves=max_moves)
    try:
        return games.make(game, history=history, **options)
    except ValueError as error:
        raise UserError(f"rules_game: {first_line(error)}") from error


def _drawn(board: np.ndarray, layout: Any) -> np.ndarray:
    """A board int8 [H, W] as OpenSpiel's planes, which pictures are drawn from."""
    planes = np.zeros((1 + max(*layout.first, *layout.second), *board.shape))
    planes[layout.first[0]], planes[layout.second[0]] = board == 1, board == -1
    return planes
