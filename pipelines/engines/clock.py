"""How much of its time a player spends on a move."""

from __future__ import annotations

import dataclasses
import math
import time

from pipelines.engines.thinking import Limits

# Seconds that are lost between a program and whoever reads its clock.
OVERHEAD = 0.05
# Moves that a player still expects to make, where nobody says how many there are.
_MOVES_TO_GO = 30
# A late search may take so many times as long as was planned, and, as long as more moves are to
# come, so much of what is left: else a clock with increments stays near 0, where lag loses on time.
_PATIENCE, _MOST = 3.0, 0.5
_INCREMENT_SHARE = 0.8


def limits(
    remaining: float,
    increment: float = 0.0,
    moves_to_go: float | None = None,
    overhead: float = OVERHEAD,
) -> Limits:
    """The limits of one move.

    Args:
      remaining: seconds on the clock.
      increment: seconds that each move adds.
      moves_to_go: until more time comes; None: it never does.
      overhead: seconds that are lost on the way.
    """
    usable = max(remaining - overhead, 0.0)
    expected = max(moves_to_go or _MOVES_TO_GO, 1.0)
    most = usable if expected == 1 else _MOST * usable
    soft = min(usable / expected + _INCREMENT_SHARE * increment, most)
    return Limits(soft, min(_PATIENCE * soft, most))


@dataclasses.dataclass
class CanadianClock:
    """One player's, as GTP has it: main time, then periods of so many stones each.

    Attributes:
      main, period: seconds.
      stones: of a period; 0 with a period of 0: no time but the main one. With a period above 0 and
        no stones there is no limit at all.
    """

    main: float
    period: float
    stones: int

    def __post_init__(self) -> None:
        self._left, self._stones_left, self._began = self.main, 0, math.nan
        if self.main <= 0:
            self._enter_period()

    @property
    def unlimited(self) -> bool:
        """Whether it is of no concern."""
        return self.period > 0 and self.stones == 0

    def set(self, seconds: float, stones: int) -> None:
        """What whoever keeps the time says is left; no stones: of the main time."""
        self._left, self._stones_left = seconds, stones

    def limits(self, moves_to_go: float) -> Limits:
        """Of the move that begins now.

        Args:
          moves_to_go: expected until the end of the game.
        """
        self._began = time.monotonic()
        if self.unlimited:
            return Limits()
        return limits(self._left, moves_to_go=self._stones_left or moves_to_go)

    def moved(self) -> None:
        """The move that began with `limits` has been made."""
        self._left -= time.monotonic() - self._began
        if self._stones_left:
            self._stones_left -= 1
            if not self._stones_left:
                self._enter_period()
        elif self._left <= 0:
            self._enter_period()

    def _enter_period(self) -> None:
        if self.period > 0:
            self._left, self._stones_left = self.period, self.stones
