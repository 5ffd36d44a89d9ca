"""Shows how far a run is: a bar on a terminal, else a line for each report, and every 5 minutes."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Mapping
from typing import TextIO

import tqdm

# Longest time without a line, in seconds: an episode of a planner may take an hour.
_SILENCE = 300.0


class Progress:
    """Progress over the episodes, or the steps, of a run.

    Args:
      total: of the whole run.
      unit: the counter that tells how far it is, 'episodes' or 'step'.
      initial: where it (re)starts; time left is judged by what came since.
      stream: where to write; None: stdout.
    """

    def __init__(
        self, total: int, unit: str = "episodes", initial: int = 0, stream: TextIO | None = None
    ) -> None:
        self._stream = stream or sys.stdout
        self._total, self._unit, self._initial = total, unit, initial
        self._start = self._printed_at = self._moved_at = time.monotonic()
        self._position = initial
        self._bar = None
        if _width(self._stream) > 0:
            self._bar = tqdm.tqdm(
                total=total,
                initial=initial,
                file=self._stream,
                dynamic_ncols=True,
                bar_format="{percentage:3.0f}%|{bar}| {desc}",
            )

    def update(self, counters: Mapping[str, float], last_return: float) -> None:
        """Moves the bar, or breaks a long silence; cheap enough for every step.

        Args:
          counters: `step`, `episodes` and `updates`.
          last_return: of the last collected episode; NaN before the first is over.
        """
        self._notice(int(counters[self._unit]))
        if self._bar is not None:
            self._bar.n = min(self._position, self._total)
            self._bar.set_description_str(self._text(counters, last_return))
        elif time.monotonic() - self._printed_at >= _SILENCE:
            self._print(self._text(counters, last_return))

    def report(
        self, counters: Mapping[str, float], last_return: float, evaluation: float | None = None
    ) -> None:
        """Prints a line where there is no bar; an evaluation's mean return is always printed."""
        self._notice(int(counters[self._unit]))
        text = self._text(counters, last_return)
        if evaluation is not None:
            text += f"  evaluation {evaluation:.1f}"
        if self._bar is None:
            self._print(text)
        elif evaluation is not None:
            self._bar.write(text, file=self._stream)

    def close(self) -> None:
        """Leaves the bar as it is and goes to the next line."""
        if self._bar is not None:
            self._bar.close()

    def _notice(self, position: int) -> None:
        """Remembers when it last went on."""
        if position != self._position:
            self._position, self._moved_at = position, time.monotonic()

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)
        self._printed_at = time.monotonic()

    def _text(self, counters: Mapping[str, float], last_return: float) -> str:
        shown = "-" if math.isnan(last_return) else f"{last_return:.1f}"
        return (
            f"episodes {self._of('episodes', counters)}  steps {self._of('step', counters)}"
            f"  updates {int(counters['updates'])}  return {shown}"
            f"  left {self._time_left()}"
        )

    def _of(self, name: str, counters: Mapping[str, float]) -> str:
        total = f"/{self._total}" if name == self._unit else ""
        return f"{int(counters[name])}{total}"

    def _time_left(self) -> str:
        if self._position <= self._initial:
            return "?"
        pace = (self._moved_at - self._start) / (self._position - self._initial)
        left = (self._total - self._position) * pace - (time.monotonic() - self._moved_at)
        minutes, seconds = divmod(round(max(left, 0.0)), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}"


def _width(stream: TextIO) -> int:
    """Columns of the terminal; 0: none, or one that does not know its width."""
    return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
