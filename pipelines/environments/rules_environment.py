"""Games whose rules are TensorFlow ops (`ops.games`), as dm_env: a search plays on in the graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from dm_env import specs

from agents.boards.observations import StateSpec
from ops import games
from pipelines.environments import board_drawing
from pipelines.environments.board_layouts import LAYOUTS
from pipelines.environments.host_rules import PositionRules
from pipelines.environments.opponents import Opponent
from pipelines.environments.two_players import Observation, TwoPlayerGame
from pipelines.system.errors import UserError, first_line


class RulesGame(TwoPlayerGame):
    """One game of `ops.games`.

    Observations hold `state`, uint8 [S], the packed position, whose spec has the rules that read it
    and make planes of it; with `planes` they hold `board` instead, float32 [H, W, P], the planes
    that the player to move sees. For the rest see `TwoPlayerGame`.

    Attributes:
      game_name: one of `LAYOUTS`.
      komi: of Go; 0 of other games.
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
        """Makes a game by these rules; see `rules_game.rules_game`."""
        self.rules, self._planes = rules, planes
        self._host = PositionRules.of(rules)
        self.game_name, self.komi = rules.name, rules.options.komi
        self.layout = LAYOUTS[rules.name]
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
        previous, position = self._drawn(self._previous, self.position.state)
        return board_drawing.draw(self.layout, position, previous, height, width)

    def pieces(self) -> np.ndarray:
        """See `TwoPlayerGame.pieces`."""
        (position,) = self._drawn(self.position.state)
        return board_drawing.pieces_of(self.layout, position)

    def _drawn(self, *states: np.ndarray) -> list[np.ndarray]:
        boards = self.rules.board(np.stack(states)).numpy()
        return [_drawn(board, self.layout) for board in boards]

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

    def for_opponent(self) -> Any:
        """See `TwoPlayerGame.for_opponent`."""
        return self


_SHARED: dict[Any, games.Rules] = {}


def rules_of_game(game: str, **options: Any) -> games.Rules:
    """The rules, the same object for all environments of a run; `options` are `games.make`'s.

    Raises:
      UserError: names the option that is wrong.
    """
    try:
        rules = games.make(game, **options)
    except ValueError as error:
        raise UserError(f"rules_game: {first_line(error)}") from error
    return _SHARED.setdefault(rules.options, rules)


def described(rules: games.Rules) -> str:
    """'go(9,7.5)': the game, and what it is played with where it leaves a choice."""
    options = rules.options
    chosen = [options.height] if rules.name in ("othello", "go") else []
    chosen += [options.komi] if rules.name == "go" else []
    return rules.name + (f"({','.join(f'{value:g}' for value in chosen)})" if chosen else "")


def _drawn(board: np.ndarray, layout: Any) -> np.ndarray:
    """A board int8 [H, W] as OpenSpiel's planes, which pictures are drawn from."""
    planes = np.zeros((1 + max(*layout.first, *layout.second), *board.shape))
    planes[layout.first[0]], planes[layout.second[0]] = board == 1, board == -1
    return planes
