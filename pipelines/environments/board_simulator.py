"""OpenSpiel's games for searches on the host: positions that play on without the environment."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.environments.board_layouts import Layout, view


@dataclasses.dataclass(frozen=True)
class GameRules:
    """What all positions of a game share.

    Attributes:
      game: pyspiel.Game.
      layout: of its planes.
      history: positions shown.
      max_moves: after which a game is a draw.
      first: OpenSpiel's number of who moves first.
    """

    game: Any
    layout: Layout
    history: int
    max_moves: int
    first: int

    @functools.cached_property
    def _observer(self) -> Any:
        """Writes planes into a buffer of its own, where a state's own method makes lists."""
        from open_spiel.python.observation import make_observation

        return make_observation(self.game)

    @functools.cached_property
    def _shape(self) -> tuple[int, ...]:
        return tuple(self.game.observation_tensor_shape())

    def planes(self, state: Any) -> np.ndarray:
        """Returns OpenSpiel's planes [P, H, W] as player 0 sees them, whoever is to move."""
        self._observer.set_from(state, 0)
        return self._observer.tensor.reshape(self._shape).copy()

    def second_moves(self, state: Any) -> bool:
        """Whether the second player is to move in a game that goes on."""
        return state.current_player() != self.first

    def over(self, state: Any) -> bool:
        """Whether a game has ended."""
        return state.is_terminal() or state.move_number() >= self.max_moves

    def outcome(self, state: Any, player: int) -> float:
        """Returns what a finished game gives `player`; one that was cut off is a draw."""
        if not state.is_terminal():
            return 0.0
        return state.returns()[self.first if player == 0 else 1 - self.first]


class BoardPosition:
    """A `GamePosition` of OpenSpiel's; `planes`: of the last positions, the newest last."""

    def __init__(
        self, rules: GameRules, state: Any, planes: Sequence[np.ndarray], reward: float = 0.0
    ) -> None:
        self._rules, self._state, self._planes = rules, state, planes
        self.reward = reward
        self.over = rules.over(state)
        self.legal: Sequence[int] = () if self.over else state.legal_actions()

    def after(self, action: int) -> BoardPosition:
        """See `GamePosition.after`."""
        rules, state = self._rules, self._state.clone()
        mover = int(rules.second_moves(state))
        state.apply_action(action)
        planes = [*self._planes, rules.planes(state)][-rules.history :]
        reward = rules.outcome(state, mover) if rules.over(state) else 0.0
        return BoardPosition(rules, state, planes, reward)

    def observe(self) -> np.ndarray:
        """See `GamePosition.observe`."""
        rules = self._rules
        return view(rules.layout, self._planes, rules.second_moves(self._state), rules.history)
