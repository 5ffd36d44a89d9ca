"""A board game as a search on the host sees it: a position to start from, and the rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class GamePosition(Protocol):
    """A position, which stays as it is.

    Attributes:
      over: whether the game has ended.
      reward: what the move that led here gave its mover: 1, 0 or -1.
      legal: actions of the player to move; none where the game is over.
    """

    over: bool
    reward: float
    legal: Sequence[int]

    def after(self, action: int) -> GamePosition:
        """The position behind a legal action."""

    def observe(self, out: np.ndarray | None = None) -> np.ndarray:
        """What the player to move sees: float32 [H, W, P], written into `out` if it is given."""


class GameSimulator(Protocol):
    """What an environment gives a search (its method `simulator()`)."""

    def position(self) -> GamePosition:
        """Where the game in progress stands."""
