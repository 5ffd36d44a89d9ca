"""OpenSpiel's two-player board games as dm_env, for self-play or against a fixed opponent.

Lanctot et al., "OpenSpiel: A Framework for Reinforcement Learning in Games", 2019
(https://arxiv.org/abs/1908.09453).
"""

from __future__ import annotations

import re
from typing import Any

import dm_env
import gin
import numpy as np
from dm_env import specs

from pipelines.environments import board_drawing
from pipelines.environments.arguments import check_choice, check_flag, check_integer
from pipelines.environments.board_layouts import LAYOUTS, num_planes, view
from pipelines.environments.board_simulator import BoardPosition, GameRules, Seen
from pipelines.environments.opponents import Opponent, make_opponent
from pipelines.environments.two_players import Observation, TwoPlayerGame, check_opening
from pipelines.system.errors import UserError, first_line


class BoardGame(TwoPlayerGame):
    """One of OpenSpiel's games.

    Observations hold `board`, float32 [H, W, planes], from the view of the player to move
    (`board_layouts.view`). For the rest see `TwoPlayerGame`.

    Attributes:
      game_name: one of `LAYOUTS`.
      komi: of Go; 0 of other games.
      state: OpenSpiel's, of the game in progress; not to be changed.
    """

    def __init__(
        self,
        game: Any,
        seed: int,
        opponent: Opponent | None,
        history: int,
        max_moves: int,
        random_opening: int,
        resignation: bool,
    ) -> None:
        """Wraps `game` (pyspiel.Game, one of `LAYOUTS`); see `board_game`."""
        # OpenSpiel's number of who moves first is not 0 in chess.
        first = game.new_initial_state().current_player()
        self.game_name = game.get_type().short_name
        self.komi = float(game.get_parameters().get("komi", 0.0))
        self.layout = LAYOUTS[self.game_name]
        self._rules = GameRules(game, self.layout, history, max_moves, first)
        super().__init__(
            f"open_spiel/{_short(str(game))}",
            game.num_distinct_actions(),
            seed,
            opponent,
            random_opening,
            resignation,
        )

    def render(self, height: int = 240, width: int = 240) -> np.ndarray:
        """See `TwoPlayerGame.render`."""
        previous = self._positions[-2] if len(self._positions) > 1 else self._positions[-1]
        return board_drawing.draw(self.layout, self._positions[-1], previous, height, width)

    def pieces(self) -> np.ndarray:
        """See `TwoPlayerGame.pieces`."""
        return board_drawing.pieces_of(self.layout, self._positions[-1])

    def simulator(self) -> BoardGame:
        """Itself: a search on the host asks for `position` (`agents/boards/simulators.py`)."""
        return self

    def position(self) -> BoardPosition:
        """The position of the game in progress, from which a search may play on."""
        shown = reversed(self._positions[-self._rules.history :])
        return BoardPosition(self._rules, self.state.clone(), [Seen(planes) for planes in shown])

    def set_up(self, text: str) -> dm_env.TimeStep:
        """Starts a game of self-play from a position in OpenSpiel's words, such as chess's FEN.

        The text is to be right: what OpenSpiel does with another is its own affair.
        """
        self._reset_next_step = False
        self.state = self._rules.game.new_initial_state(text)
        self._second_begins = self.state.current_player() != self._rules.first
        self._positions = [self._rules.planes(self.state)]
        return dm_env.restart(self._observe(self._over()))

    def _begin(self) -> None:
        self.state = self._rules.game.new_initial_state()
        self._second_begins = False
        self._positions = [self._rules.planes(self.state)]

    def _move(self, action: int) -> None:
        self.state.apply_action(action)
        # Two are kept for drawing.
        kept = max(2, self._rules.history)
        self._positions = [*self._positions, self._rules.planes(self.state)][-kept:]

    def _turn(self) -> int:
        return (self.state.move_number() + self._second_begins) % 2

    def _over(self) -> bool:
        return self._rules.over(self.state)

    def _outcome(self, player: int) -> float:
        return self._rules.outcome(self.state, player)

    def _legal_actions(self) -> list[int]:
        return self.state.legal_actions()

    def _seen(self, viewer: int) -> Observation:
        rules = self._rules
        return {"board": view(rules.layout, self._positions, bool(viewer), rules.history)}

    def _seen_spec(self) -> dict[str, specs.Array]:
        _, height, width = self._rules.game.observation_tensor_shape()
        shape = (height, width, num_planes(self._rules.layout, self._rules.history))
        return {"board": specs.BoundedArray(shape, np.float32, 0.0, 1.0, name="board")}

    def for_opponent(self) -> Any:
        """See `TwoPlayerGame.for_opponent`."""
        return self.state


@gin.configurable(module="pipelines.environments")
def board_game(
    *,
    seed: int,
    game: str = "tic_tac_toe",
    opponent: str | None = None,
    opponent_simulations: int = 100,
    history: int = 1,
    max_moves: int | None = None,
    random_opening: int = 0,
    resignation: bool = False,
) -> BoardGame:
    """Makes one of OpenSpiel's two-player games.

    Args:
      seed: of the opponent's randomness; with an even one the learner moves first in the first
        game, then second, and so on; with an odd one the other way round.
      game: one of `LAYOUTS`, with OpenSpiel's own parameters if wanted: 'go(board_size=9)'.
      opponent: None, self-play; 'random', uniform over legal moves; 'mcts', OpenSpiel's tree search
        with random rollouts; 'perfect', tic-tac-toe only.
      opponent_simulations: of each of the 'mcts' opponent's moves.
      history: positions shown, the newest first. Silver et al. 2018 show 8.
      max_moves: of both players together; a game that reaches it is a draw, as in Silver et al.
        2018, who cut chess and shogi at 512. None: OpenSpiel's own limit.
      random_opening: self-play starts behind 0 to so many uniformly random moves, each number as
        likely, so that it sees positions that good play does not lead to.
      resignation: there is one action more, the last one, by which the mover gives up.

    Raises:
      UserError: there is no such game, parameter or opponent, or a value is out of range.
    """
    made = _load(game)
    longest = made.max_game_length()
    moves = longest if max_moves is None else check_integer("board_game.max_moves", max_moves, 1)
    check_integer("board_game.history", history, 1)
    check_integer("board_game.opponent_simulations", opponent_simulations, 1)
    check_flag("board_game.resignation", resignation)
    check_opening("board_game", random_opening, opponent)
    player = None if opponent is None else make_opponent(opponent, made, opponent_simulations)
    return BoardGame(made, seed, player, history, min(moves, longest), random_opening, resignation)


def _load(text: object) -> Any:
    """Returns the pyspiel.Game that `text` describes.

    Parameters are checked here, because OpenSpiel prints a list of its own before it raises.
    """
    import pyspiel

    found = re.fullmatch(r"(\w+)(?:\((.*)\))?", str(text))
    if not found:
        raise UserError(f"board_game.game is {text!r}, expected such as 'go(board_size=9)'")
    name = check_choice("board_game.game", found[1], sorted(LAYOUTS))
    defaults = pyspiel.load_game(name).get_parameters()
    pairs = [part.partition("=") for part in (found[2] or "").split(",") if part.strip()]
    parameters = {key.strip(): value.strip() for key, _, value in pairs}
    for key, value in parameters.items():
        _check_parameter(name, key)
        parameters[key] = _number(f"{name}'s {key}", value, type(defaults[key]))
    try:
        game = pyspiel.load_game(name, parameters)
        game.new_initial_state()
    except pyspiel.SpielError as error:
        raise UserError(f"board_game.game is {text!r}: {first_line(error)}") from error
    return game


def _check_parameter(name: str, key: str) -> None:
    valid = LAYOUTS[name].parameters
    if not valid:
        raise UserError(f"board_game.game is {name} with '{key}', expected no parameters")
    check_choice(f"board_game.game: a parameter of {name}", key, valid)


def _number(name: str, value: str, kind: type) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        what = "an integer" if kind is int else "a number"
        raise UserError(f"board_game.game: {name} is '{value}', expected {what}") from error


def _short(game: str) -> str:
    """Returns 'tic_tac_toe' for OpenSpiel's 'tic_tac_toe()'."""
    return game.removesuffix("()")
