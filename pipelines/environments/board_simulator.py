"""OpenSpiel's games for searches on the host: positions that play on without the environment."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.environments.board_layouts import Layout, seen_by, stacked


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


class Seen:
    """A position's planes, and what each player sees of them once one has looked."""

    __slots__ = ("_by", "planes")

    def __init__(self, planes: np.ndarray) -> None:
        self.planes = planes
        self._by: list[np.ndarray | None] = [None, None]

    def by(self, layout: Layout, second: bool) -> np.ndarray:
        """See `board_layouts.seen_by`: a position is looked at again below it in a search."""
        if (known := self._by[second]) is None:
            known = self._by[second] = seen_by(layout, second, self.planes)
        return known


class BoardPosition:
    """A `GamePosition` of OpenSpiel's; `seen`: the last positions, the newest first."""

    __slots__ = ("_rules", "_seen", "_state", "legal", "over", "reward")

    def __init__(
        self, rules: GameRules, state: Any, seen: Sequence[Seen], mover: int | None = None
    ) -> None:
        """`mover`: whose move led here, 0 or 1; None: it does not matter."""
        self._rules, self._state, self._seen = rules, state, seen
        self.over = rules.over(state)
        self.reward = rules.outcome(state, mover) if self.over and mover is not None else 0.0
        self.legal: Sequence[int] = () if self.over else state.legal_actions()

    def after(self, action: int) -> BoardPosition:
        """See `GamePosition.after`."""
        rules, state = self._rules, self._state.clone()
        mover = int(rules.second_moves(state))
        state.apply_action(action)
        seen = (Seen(rules.planes(state)), *self._seen[: rules.history - 1])
        return BoardPosition(rules, state, seen, mover)

    def observe(self, out: np.ndarray | None = None) -> np.ndarray:
        """See `GamePosition.observe`."""
        rules = self._rules
        second = rules.second_moves(self._state)
        parts = [seen.by(rules.layout, second) for seen in self._seen]
        return stacked(rules.layout, parts, second, rules.history, out)
