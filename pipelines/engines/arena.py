"""Games between any two players, several side by side, with a referee of their own."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.engines.go_board import IllegalMove
from pipelines.engines.go_game import GoGame
from pipelines.engines.go_notation import score_text
from pipelines.system.errors import UserError

# Both players' moves; so many times the points of the board, then the areas count as they are.
_LONGEST_GO = 3


class Result(NamedTuple):
    """How a game has ended.

    Attributes:
      outcome: for who moved first: 1, 0 or -1.
      reason: in words: 'B+3.5', 'resignation', 'illegal move X', or empty.
    """

    outcome: float
    reason: str


class Game:
    """One game in progress, with the environment of the run as its referee.

    In Go a repeated board is illegal here, and areas are counted at the end.

    Args:
      environment: of two players, without opening moves (`making.self_play`).
      slot: number of the game among those side by side, from 0.
      komi: of Go.

    Attributes:
      actions: so far.
      result: None: it goes on.
    """

    def __init__(self, environment: Any, slot: int, komi: float) -> None:
        self.environment, self.slot, self.komi = environment, slot, komi
        self.name = environment.game_name
        self.actions: list[int] = []
        self.result: Result | None = None
        self._timestep = environment.reset()
        self.go = GoGame(_go_size(environment), komi) if self.name == "go" else None

    def open(self, moves: int, generator: np.random.Generator) -> None:
        """Plays so many random moves, in Go none of them a pass, that do not end the game."""
        for _ in range(moves):
            legal = self.legal()
            if self.go is not None:
                legal[self.go.size**2] = False
            choices = np.flatnonzero(legal)
            if len(choices):
                self.play(int(generator.choice(choices)))
            if self.result is not None or not len(choices):
                raise UserError(f"an opening of {moves} moves ends a game of {self.name}")

    @property
    def turn(self) -> int:
        """Whose move it is: 0, who moves first, or 1."""
        return len(self.actions) % 2

    def legal(self) -> np.ndarray:
        """What may be played now: bool [A]."""
        legal = self._timestep.observation["legal_actions"].copy()
        if self.go is not None:
            for point in np.flatnonzero(legal):
                legal[point] = self.go.board.is_legal(self.turn, int(point))
        return legal

    def play(self, action: int | None, shown: str = "") -> None:
        """Plays, or gives the game up; whoever plays what is illegal has lost.

        Args:
          action: None: resigns.
          shown: the move as the player wrote it.
        """
        sign = 1.0 if self.turn == 0 else -1.0
        legal = self._timestep.observation["legal_actions"]
        if action is None:
            self.result = Result(-sign, "resignation")
        elif not (0 <= action < len(legal) and legal[action] and self._played_go(action)):
            self.result = Result(-sign, f"illegal move {shown or action}")
        else:
            self.actions.append(action)
            self._timestep = self.environment.step(action)
            self._end(sign)

    def _played_go(self, action: int) -> bool:
        if self.go is not None:
            try:
                self.go.play(self.turn, action)
            except IllegalMove:
                return False
        return True

    def _end(self, sign: float) -> None:
        if self.go is None:
            if self._timestep.last():
                self.result = Result(sign * float(self._timestep.reward), "")
            return
        longest = _LONGEST_GO * self.go.size**2
        if self._timestep.last() or self.go.passes == 2 or len(self.actions) >= longest:
            black, white = self.go.score()
            self.result = Result(float(np.sign(black - white)), score_text(black, white))


class Contestant(abc.ABC):
    """A player in any number of games.

    Attributes:
      name: for tables.
      most_games: that it can play side by side.
    """

    name: str
    most_games: int = 64

    @abc.abstractmethod
    def begin(self, game: Game) -> None:
        """Hears of a new game, in the slot of an old one that has ended."""

    @abc.abstractmethod
    def move(self, games: Sequence[Game]) -> None:
        """Plays a move, or resigns, in each of the games, in all of which it is to move."""

    def close(self) -> None:  # noqa: B027
        """Ends what it needs for playing; most need nothing."""


def play(
    first: Contestant,
    second: Contestant,
    make_game: Callable[[int, int], Game],
    games: int,
    on_end: Callable[[Game, Sequence[Contestant]], None] = lambda game, players: None,
) -> list[list[float]]:
    """Plays `games` games, half of them with `first` moving first.

    Args:
      first, second: the players.
      make_game: from its slot and its number, 0 to games / 2 - 1: two games, one from each seat,
        have the same, so that both players get the same opening.
      games: an even number.
      on_end: called with each game that has ended, and its players as they moved.

    Returns:
      What `first` got in each game, from the first seat and from the second: 1, 0 or -1.
    """
    outcomes: list[list[float]] = [[], []]
    side_by_side = min(first.most_games, second.most_games)
    for seat in (0, 1):
        players = (first, second) if seat == 0 else (second, first)
        for start in range(0, games // 2, side_by_side):
            count = min(side_by_side, games // 2 - start)
            batch = [make_game(slot, start + slot) for slot in range(count)]
            for ended in _play_batch(players, batch):
                outcomes[seat].append(ended.result.outcome if seat == 0 else -ended.result.outcome)
                on_end(ended, players)
    return outcomes


def _play_batch(players: Sequence[Contestant], games: list[Game]) -> list[Game]:
    for game in games:
        for player in players:
            player.begin(game)
    while going := [game for game in games if game.result is None]:
        for seat, player in enumerate(players):
            waiting = [game for game in going if game.result is None and game.turn == seat]
            if waiting:
                player.move(waiting)
    return games


def _go_size(environment: Any) -> int:
    points = environment.observation_spec()["legal_actions"].shape[0] - 1
    return round(points**0.5)
