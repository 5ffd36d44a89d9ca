"""Games of two players who move in turns and see everything, as dm_env, whoever knows the rules."""

from __future__ import annotations

import abc
from typing import Any

import dm_env
import numpy as np
from dm_env import specs

from pipelines.environments import random_states
from pipelines.environments.arguments import check_integer
from pipelines.environments.opponents import Opponent
from pipelines.system.errors import UserError

Observation = dict[str, np.ndarray]

_MAX_LISTED = 10


def check_opening(factory: str, random_opening: object, opponent: str | None) -> None:
    """Checks the number of random moves that open a game, for a factory of that name.

    Raises:
      UserError: it is not one, or there are some with an opponent.
    """
    check_integer(f"{factory}.random_opening", random_opening, 0)
    if random_opening and opponent is not None:
        raise UserError(
            f"{factory}.random_opening is {random_opening}, expected 0 with opponent "
            f"'{opponent}': random moves open self-play alone"
        )


class TwoPlayerGame(dm_env.Environment, abc.ABC):
    """One game, for self-play or against an opponent. A subclass holds the position.

    Observations are a dict: what the player to move sees, and `legal_actions`, bool [A], all False
    once the game is over. Actions are int32 scalars. A win is rewarded with 1, a loss with -1, a
    draw and all before the end with 0; the discount is 1 until it is 0 at the end. All float32
    scalars.

    In self-play each step is one player's move, and its reward the mover's own. With an opponent
    that one's moves are part of `step` and `reset`: the learner sees the positions in which it has
    to move, and the last one, and gets its own rewards. It moves first in every other game.

    With `resignation` there is one action more, A, by which the mover gives up and has lost.

    Attributes:
      name: of the environment.
      players: who move in turns through `step`: 2 in self-play, else 1.
      seat: the learner's in the present game: 0, it moves first, or 1. Self-play: no meaning.
    """

    def __init__(
        self,
        name: str,
        num_actions: int,
        seed: int,
        opponent: Opponent | None,
        random_opening: int,
        resignation: bool,
    ) -> None:
        """Makes a game of `num_actions` moves, A; the other arguments are as in `board_game`."""
        self.name, self.seat = name, 0
        self.players = 2 if opponent is None else 1
        self._opponent = opponent
        self._num_actions = num_actions
        self._random_opening, self._resignation = random_opening, resignation
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._next_seat = seed % 2
        self._reset_next_step = True
        self._begin()

    def reset(self) -> dm_env.TimeStep:
        """Starts a game; an opponent that moves first has then moved."""
        self._reset_next_step = False
        self._open()
        self.seat, self._next_seat = self._next_seat, 1 - self._next_seat
        if self._opponent is not None:
            self._opponent.begin(self._generator)
            if self.seat == 1:
                self._answer()
        return dm_env.restart(self._observe(self._over()))

    def step(self, action: np.ndarray | int) -> dm_env.TimeStep:
        """Moves, and lets the opponent answer; after a LAST step a new game begins instead.

        Raises:
          ValueError: if `action` is illegal.
        """
        if self._reset_next_step:
            return self.reset()
        mover = self._turn()
        if self._resignation and int(action) == self._num_actions:
            return self._ended(-1.0)
        self._check_legal(int(action))
        self._move(int(action))
        if self._opponent is not None and not self._over():
            self._answer()
        if self._over():
            return self._ended(self._outcome(mover))
        observation = self._observe(over=False)
        return dm_env.TimeStep(dm_env.StepType.MID, np.float32(0), np.float32(1), observation)

    def observation_spec(self) -> dict[str, specs.Array]:
        """What is seen (`_seen_spec`), and `legal_actions`, bool [A]."""
        legal = specs.Array((self._num_actions,), bool, "legal_actions")
        return {**self._seen_spec(), "legal_actions": legal}

    def action_spec(self) -> specs.DiscreteArray:
        """An int32 scalar, one of the game's A actions, or with `resignation` of A + 1."""
        count = self._num_actions + self._resignation
        return specs.DiscreteArray(count, dtype=np.int32, name="action")

    def reward_spec(self) -> specs.BoundedArray:
        """A float32 scalar: -1, 0 or 1."""
        return specs.BoundedArray((), np.float32, -1.0, 1.0, name="reward")

    def discount_spec(self) -> specs.BoundedArray:
        """A float32 scalar, 0 or 1."""
        return specs.BoundedArray((), np.float32, 0.0, 1.0, name="discount")

    @abc.abstractmethod
    def render(self, height: int = 240, width: int = 240) -> np.ndarray:
        """Returns the board as uint8 [height, width, 3], the last move's cells framed."""

    @abc.abstractmethod
    def pieces(self) -> np.ndarray:
        """What stands where, int [H, W], top row first, see `board_drawing.pieces_of`."""

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

    @abc.abstractmethod
    def _begin(self) -> None:
        """Sets up the board."""

    @abc.abstractmethod
    def _move(self, action: int) -> None:
        """Plays a legal action."""

    @abc.abstractmethod
    def _turn(self) -> int:
        """Whose turn it is, or would be if the game were not over: 0, the first player, or 1."""

    @abc.abstractmethod
    def _over(self) -> bool:
        """Whether the game has ended."""

    @abc.abstractmethod
    def _outcome(self, player: int) -> float:
        """What a finished game gives `player`: 1, 0 or -1."""

    @abc.abstractmethod
    def _legal_actions(self) -> list[int]:
        """What the player to move may do."""

    @abc.abstractmethod
    def _seen(self, viewer: int) -> Observation:
        """What player `viewer` sees."""

    @abc.abstractmethod
    def _seen_spec(self) -> dict[str, specs.Array]:
        """The specs of what is seen."""

    @abc.abstractmethod
    def for_opponent(self) -> Any:
        """The position as the opponent takes it."""

    def _open(self) -> None:
        """Sets up the board and plays the random opening; one that ends the game is played anew."""
        while True:
            self._begin()
            for _ in range(self._generator.integers(self._random_opening + 1)):
                if self._over():
                    break
                self._move(int(self._generator.choice(self._legal_actions())))
            if not self._over():
                return

    def _answer(self) -> None:
        self._move(self._opponent.choose(self.for_opponent(), self._legal_actions()))

    def _ended(self, reward: float) -> dm_env.TimeStep:
        self._reset_next_step = True
        observation = self._observe(over=True)
        return dm_env.TimeStep(dm_env.StepType.LAST, np.float32(reward), np.float32(0), observation)

    def _observe(self, over: bool) -> Observation:
        # With an opponent a game can end on either's move; the learner's view is always its own.
        viewer = self._turn() if self._opponent is None else self.seat
        legal = np.zeros(self._num_actions, bool)
        if not over:
            legal[self._legal_actions()] = True
        return {**self._seen(viewer), "legal_actions": legal}

    def _check_legal(self, action: int) -> None:
        legal = self._legal_actions()
        if action not in legal:
            listed = ", ".join(map(str, legal[:_MAX_LISTED]))
            more = ", ..." if len(legal) > _MAX_LISTED else ""
            raise ValueError(
                f"action is {action}, which is illegal, expected one of {listed}{more}"
            )
