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

from pipelines.environments import board_drawing, random_states
from pipelines.environments.arguments import check_choice, check_integer
from pipelines.environments.board_layouts import LAYOUTS, num_planes, view
from pipelines.environments.opponents import Opponent, make_opponent
from pipelines.system.errors import UserError, first_line

Observation = dict[str, np.ndarray]

_MAX_LISTED = 10


class BoardGame(dm_env.Environment):
    """One game in which two players move in turns and see everything.

    Observations are a dict: `board`, float32 [H, W, planes], from the view of the player to move
    (`board_layouts.view`), and `legal_actions`, bool [A], all False once the game is over. Actions
    are int32 scalars. A win is rewarded with 1, a loss with -1, a draw and all before the end with
    0; the discount is 1 until it is 0 at the end. All float32 scalars.

    In self-play each step is one player's move, and its reward the mover's own. With an opponent
    that one's moves are part of `step` and `reset`: the learner sees the positions in which it has
    to move, and the last one, and gets its own rewards. It moves first in every other game.

    Attributes:
      name: 'open_spiel/' and the game.
      game_name: one of `LAYOUTS`.
      komi: of Go; 0 of other games.
      players: who move in turns through `step`: 2 in self-play, else 1.
      seat: the learner's in the present game: 0, it moves first, or 1. Self-play: no meaning.
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
    ) -> None:
        """Wraps `game` (pyspiel.Game, one of `LAYOUTS`); see `board_game`."""
        self.name = f"open_spiel/{_short(str(game))}"
        self.seat = 0
        self.state = game.new_initial_state()
        self._game = game
        self._opponent = opponent
        self.players = 2 if opponent is None else 1
        self._history, self._max_moves = history, max_moves
        self._random_opening = random_opening
        self.game_name = game.get_type().short_name
        self.komi = float(game.get_parameters().get("komi", 0.0))
        self._layout = LAYOUTS[self.game_name]
        # OpenSpiel's number of who moves first, which is not 0 in chess.
        self._first = self.state.current_player()
        self._second_begins = False
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._next_seat = seed % 2
        self._reset_next_step = True
        self._positions = [self._planes()]

    def reset(self) -> dm_env.TimeStep:
        """Starts a game; an opponent that moves first has then moved."""
        self._reset_next_step = False
        self._open()
        self.seat, self._next_seat = self._next_seat, 1 - self._next_seat
        if self._opponent is not None:
            self._opponent.begin(self._generator)
            if self.seat == 1:
                self._move(self._opponent.choose(self.state))
        return dm_env.restart(self._observe())

    def step(self, action: np.ndarray | int) -> dm_env.TimeStep:
        """Moves, and lets the opponent answer; after a LAST step a new game begins instead.

        Raises:
          ValueError: if `action` is illegal.
        """
        if self._reset_next_step:
            return self.reset()
        mover = self._turn()
        self._check_legal(int(action))
        self._move(int(action))
        if self._opponent is not None and not self._over():
            self._move(self._opponent.choose(self.state))
        if not self._over():
            return dm_env.TimeStep(
                dm_env.StepType.MID, np.float32(0), np.float32(1), self._observe()
            )
        self._reset_next_step = True
        reward = np.float32(self._outcome(mover))
        return dm_env.TimeStep(dm_env.StepType.LAST, reward, np.float32(0), self._observe())

    def set_up(self, text: str) -> dm_env.TimeStep:
        """Starts a game of self-play from a position in OpenSpiel's words, such as chess's FEN.

        The text is to be right: what OpenSpiel does with another is its own affair.
        """
        self._reset_next_step = False
        self.state = self._game.new_initial_state(text)
        self._second_begins = self.state.current_player() != self._first
        self._positions = [self._planes()]
        return dm_env.restart(self._observe())

    def observation_spec(self) -> dict[str, specs.Array]:
        """`board`, float32 [H, W, planes] in [0, 1], and `legal_actions`, bool [A]."""
        _, height, width = self._game.observation_tensor_shape()
        shape = (height, width, num_planes(self._layout, self._history))
        actions = self._game.num_distinct_actions()
        return {
            "board": specs.BoundedArray(shape, np.float32, 0.0, 1.0, name="board"),
            "legal_actions": specs.Array((actions,), bool, name="legal_actions"),
        }

    def action_spec(self) -> specs.DiscreteArray:
        """OpenSpiel's actions, an int32 scalar."""
        count = self._game.num_distinct_actions()
        return specs.DiscreteArray(count, dtype=np.int32, name="action")

    def reward_spec(self) -> specs.BoundedArray:
        """A float32 scalar: -1, 0 or 1."""
        return specs.BoundedArray((), np.float32, -1.0, 1.0, name="reward")

    def discount_spec(self) -> specs.BoundedArray:
        """A float32 scalar, 0 or 1."""
        return specs.BoundedArray((), np.float32, 0.0, 1.0, name="discount")

    def render(self, height: int = 240, width: int = 240) -> np.ndarray:
        """Returns the board as uint8 [height, width, 3], the last move's cells framed."""
        previous = self._positions[-2] if len(self._positions) > 1 else self._positions[-1]
        return board_drawing.draw(self._layout, self._positions[-1], previous, height, width)

    def random_state(self) -> dict[str, Any]:
        """Returns generator and next seat as JSON-able data; between games it fixes all to come."""
        return {
            "generator": random_states.from_generator(self._generator),
            "seat": self._next_seat,
        }

    def set_random_state(self, state: dict[str, Any]) -> None:
        """Restores what `random_state` gave; the next step starts a new game."""
        random_states.to_generator(state["generator"], self._generator)
        self._next_seat = state["seat"]
        self._reset_next_step = True

    def _open(self) -> None:
        """Sets up the board and plays the random opening; one that ends the game is played anew."""
        while True:
            self.state = self._game.new_initial_state()
            self._second_begins = False
            self._positions = [self._planes()]
            for _ in range(self._generator.integers(self._random_opening + 1)):
                if self._over():
                    break
                self._move(int(self._generator.choice(self.state.legal_actions())))
            if not self._over():
                return

    def _turn(self) -> int:
        """Whose turn it is, or would be if the game were not over: 0, the first player, or 1."""
        return (self.state.move_number() + self._second_begins) % 2

    def _over(self) -> bool:
        return self.state.is_terminal() or self.state.move_number() >= self._max_moves

    def _outcome(self, player: int) -> float:
        """Returns what a finished game gives `player`; one that was cut off is a draw."""
        if not self.state.is_terminal():
            return 0.0
        return self.state.returns()[self._first if player == 0 else 1 - self._first]

    def _move(self, action: int) -> None:
        self.state.apply_action(action)
        # Two are kept for drawing.
        self._positions = [*self._positions, self._planes()][-max(2, self._history) :]

    def _check_legal(self, action: int) -> None:
        legal = self.state.legal_actions()
        if action not in legal:
            listed = ", ".join(map(str, legal[:_MAX_LISTED]))
            more = ", ..." if len(legal) > _MAX_LISTED else ""
            raise ValueError(
                f"action is {action}, which is illegal, expected one of {listed}{more}"
            )

    def _planes(self) -> np.ndarray:
        """Returns OpenSpiel's planes [P, H, W] as player 0 sees them, whoever is to move."""
        planes = np.array(self.state.observation_tensor(0), np.float32)
        return planes.reshape(self._game.observation_tensor_shape())

    def _observe(self) -> Observation:
        # With an opponent a game can end on either's move; the learner's view is always its own.
        viewer = self._turn() if self._opponent is None else self.seat
        legal = np.zeros(self._game.num_distinct_actions(), bool)
        if not self._over():
            legal[self.state.legal_actions()] = True
        board = view(self._layout, self._positions, bool(viewer), self._history)
        return {"board": board, "legal_actions": legal}


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

    Raises:
      UserError: there is no such game, parameter or opponent, or a value is out of range.
    """
    made = _load(game)
    longest = made.max_game_length()
    moves = longest if max_moves is None else check_integer("board_game.max_moves", max_moves, 1)
    check_integer("board_game.history", history, 1)
    check_integer("board_game.opponent_simulations", opponent_simulations, 1)
    check_integer("board_game.random_opening", random_opening, 0)
    if random_opening and opponent is not None:
        raise UserError(
            f"board_game.random_opening is {random_opening}, expected 0 with opponent "
            f"'{opponent}': random moves open self-play alone"
        )
    player = None if opponent is None else make_opponent(opponent, made, opponent_simulations)
    return BoardGame(made, seed, player, history, min(moves, longest), random_opening)


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
