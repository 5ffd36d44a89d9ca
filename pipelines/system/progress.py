"""Shows how far a run is: a bar on a terminal, else a line for each report, and every 5 minutes."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Mapping
from typing import NamedTuple, TextIO

import tqdm

# Longest time without a line, in seconds: an episode of a planner may take an hour.
_SILENCE = 300.0
# Shortest time between two states of the bar.
_FLICKER = 0.1
# Rounds over which the pace is a mean: more than lie between evaluations, which take their time.
_MEMORY = 100


class _Mark(NamedTuple):
    """Where the newest round ended."""

    position: int
    updates: int
    time: float


class Progress:
    """Progress over the episodes, or the steps, of a run.

    Args:
      total: of the whole run.
      unit: the counter that tells how far it is, 'episodes' or 'step'.
      initial: where it (re)starts; time left is judged by what came since, and once there are
        updates by whole rounds of collecting and learning.
      stream: where to write; None: stdout.
    """

    def __init__(
        self, total: int, unit: str = "episodes", initial: int = 0, stream: TextIO | None = None
    ) -> None:
        self._stream = stream or sys.stdout
        self._total, self._unit, self._position = total, unit, initial
        self._printed_at, self._shown_at, self._doing = time.monotonic(), -math.inf, ""
        self._mark = _Mark(initial, 0, time.monotonic())
        self._rounds, self._round, self._pace = 0, 1, 0.0
        self._bar = None
        if _width(self._stream) > 0:
            self._bar = tqdm.tqdm(
                total=total,
                initial=initial,
                file=self._stream,
                dynamic_ncols=True,
                bar_format="{percentage:3.0f}%|{bar}| {desc}",
            )

    def update(self, counters: Mapping[str, float], last_return: float, doing: str = "") -> None:
        """Moves the bar, or breaks a long silence; cheap enough for every step.

        Args:
          counters: `step`, `episodes` and `updates`.
          last_return: of the last collected episode; NaN before the first is over.
          doing: what is going on beside collecting and learning.
        """
        now = time.monotonic()
        self._notice(counters, now)
        if self._bar is not None:
            begun, self._doing = bool(doing) != bool(self._doing), doing
            if begun or now - self._shown_at >= _FLICKER:
                self._move_bar(self._text(counters, last_return))
        elif now - self._printed_at >= _SILENCE:
            self._doing = doing
            self._print(self._text(counters, last_return))

    def report(
        self, counters: Mapping[str, float], last_return: float, evaluation: float | None = None
    ) -> None:
        """Prints a line where there is no bar; an evaluation's mean return is always printed."""
        self._notice(counters, time.monotonic())
        self._doing = ""
        text = self._text(counters, last_return)
        line = text if evaluation is None else f"{text}  evaluation {evaluation:.1f}"
        if self._bar is None:
            self._print(line)
            return
        if evaluation is not None:
            self._bar.write(line, file=self._stream)
        self._move_bar(text)

    def close(self) -> None:
        """Leaves the bar as it is and goes to the next line."""
        if self._bar is not None:
            self._bar.close()

    def _notice(self, counters: Mapping[str, float], now: float) -> None:
        """Notes how far it is, and at the end of a round what one takes."""
        self._position, updates = int(counters[self._unit]), int(counters["updates"])
        if updates and not self._mark.updates:
            self._rounds = 0  # What is only collected is no measure of what is learned from.
        done = self._position - self._mark.position
        if done <= 0 or (updates and updates == self._mark.updates):
            return
        took = (now - self._mark.time) / done
        # The first one has built TensorFlow's graphs, and counts for want of another only.
        share = 1 / max(1, min(self._rounds, _MEMORY))
        self._pace += share * (took - self._pace)
        self._rounds, self._round = self._rounds + 1, done
        self._mark = _Mark(self._position, updates, now)

    def _move_bar(self, text: str) -> None:
        self._shown_at = time.monotonic()
        self._bar.n = min(self._position, self._total)
        self._bar.set_description_str(text)

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)
        self._printed_at = time.monotonic()

    def _text(self, counters: Mapping[str, float], last_return: float) -> str:
        shown = "-" if math.isnan(last_return) else f"{last_return:.1f}"
        return (
            f"episodes {self._of('episodes', counters)}  steps {self._of('step', counters)}"
            f"  updates {int(counters['updates'])}  return {shown}"
            f"  left {self._time_left()}" + (f"  {self._doing}" if self._doing else "")
        )

    def _of(self, name: str, counters: Mapping[str, float]) -> str:
        total = f"/{self._total}" if name == self._unit else ""
        return f"{int(counters[name])}{total}"

    def _time_left(self) -> str:
        if self._rounds == 0:
            return "?"
        # The round in progress has at most its own time: the next ones have theirs still.
        passed = min(time.monotonic() - self._mark.time, self._round * self._pace)
        left = (self._total - self._mark.position) * self._pace - passed
        minutes, seconds = divmod(round(max(left, 0.0)), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}"


def _width(stream: TextIO) -> int:
    """Columns of the terminal; 0: none, or one that does not know its width."""
    return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
