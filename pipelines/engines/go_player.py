"""A policy that plays Go: its moves, its clocks, its analysis of a game in progress."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from pipelines.engines.clock import CanadianClock
from pipelines.engines.go_game import GoGame
from pipelines.engines.player import Found, Line, Player, Position
from pipelines.engines.thinking import Limits, Thinking, growing

# Both players together fill about so much of the board.
_FILLED = 0.7
_LEAST_MOVES_TO_GO = 10.0


class GoPlayer:
    """A player of Go.

    The policy's own rules show it the game in strict turns (`GoGame.actions`). What is illegal for
    a referee, a repeated board above all, is kept from it. It answers a pass that loses with a
    pass, since a policy that has learned little never ends a game.

    Args:
      player: the policy.
      game: in which it plays; an empty one.
      resign_below: it resigns where its value is below; None: never.

    Attributes:
      game: in progress.
      clocks: of Black and White; None: no limit.
    """

    def __init__(self, player: Player, game: GoGame, resign_below: float | None = None) -> None:
        self.game = game
        self.clocks: list[CanadianClock | None] = [None, None]
        self._player, self._resign_below = player, resign_below
        self._thinking: Thinking | None = None

    def choose(self, colour: int) -> int | None:
        """Returns the point that `colour` plays, N² for a pass; None: it resigns."""
        game, pass_ = self.game, self.game.size**2
        black, white = game.score()
        if game.passes == 1 and game.turn == colour and (white > black) == bool(colour):
            return pass_
        actions = game.actions(colour)
        position = self._player.position(actions)
        if position.over:
            return pass_
        allowed = self._allowed(colour)
        study = functools.partial(self._study, position, allowed)
        found = self._search(colour, study)
        if found is None:
            return int(np.flatnonzero(allowed)[0])
        hopeless = self._resign_below is not None and (found.value or 0.0) < self._resign_below
        return None if hopeless or found.action > pass_ else found.action

    def analyse(self, colour: int, on_lines: Callable[[list[Line]], None]) -> None:
        """Searches for `colour` in the background until `stop`; each search gives lines."""
        actions = self.game.actions(colour)
        position, allowed = self._player.position(actions), self._allowed(colour)

        def deepen(simulations: int, going_on: Callable[[], bool]) -> list[Line] | None:
            if position.over:
                return []
            found = self._player.study(position, simulations, allowed, going_on)
            return found and self._player.lines(actions, None, found, len(found.shares))

        counts = growing(self._player.most_simulations)
        self._thinking = Thinking(deepen, counts, Limits(until_stopped=True), on_lines)

    @property
    def analysing(self) -> bool:
        """Whether an analysis runs."""
        return self._thinking is not None

    def stop(self) -> None:
        """Ends the analysis."""
        if self._thinking is not None:
            self._thinking.stop()
        self._thinking = None

    def close(self) -> None:
        """Ends it, and waits for what it computes."""
        if self._thinking is not None:
            self._thinking.close()

    def _allowed(self, colour: int) -> np.ndarray:
        """bool [N² + 1]."""
        points = range(self.game.size**2 + 1)
        return np.array([self.game.board.is_legal(colour, point) for point in points])

    def _study(
        self,
        position: Position,
        allowed: np.ndarray,
        simulations: int,
        going_on: Callable[[], bool] = lambda: True,
    ) -> Found | None:
        return self._player.study(position, simulations, allowed, going_on)

    def _search(self, colour: int, deepen: Callable[..., Found | None]) -> Found | None:
        clock = self.clocks[colour]
        if clock is None or clock.unlimited:
            return deepen(self._player.simulations)
        board = self.game.board.stones
        to_go = max(_LEAST_MOVES_TO_GO, (_FILLED * len(board) - len(self.game.moves)) / 2)
        counts = growing(self._player.most_simulations)
        thinking = Thinking(deepen, counts, clock.limits(to_go))
        found = thinking.wait()
        clock.moved()
        if thinking.error is not None:
            raise thinking.error
        return found
