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
# Shortest time between two states of the bar.
_FLICKER = 0.1
# Episodes over which the pace is a mean: more than lie between evaluations, which take their time.
_MEMORY = 100


class Progress:
    """Progress over the episodes of a run.

    Args:
      total_episodes: of the whole run.
      initial_episodes: where it (re)starts; time left is judged by the episodes since, and once
        there are updates by those alone that were learned from.
      stream: where to write; None: stdout.
    """

    def __init__(
        self, total_episodes: int, initial_episodes: int = 0, stream: TextIO | None = None
    ) -> None:
        self._stream = stream or sys.stdout
        self._total, self._episodes = total_episodes, initial_episodes
        self._printed_at = self._ended_at = time.monotonic()
        self._shown_at = -math.inf
        self._learning, self._paces, self._pace, self._at_a_time = False, 0, 0.0, 1
        self._bar = None
        if _width(self._stream) > 0:
            self._bar = tqdm.tqdm(
                total=total_episodes,
                initial=initial_episodes,
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
        last_shown = self._printed_at if self._bar is None else self._shown_at
        if now - last_shown < (_SILENCE if self._bar is None else _FLICKER):
            return
        text = self._text(counters, last_return) + (f"  {doing}" if doing else "")
        if self._bar is None:
            self._print(text)
        else:
            self._move_bar(text)

    def report(
        self, counters: Mapping[str, float], last_return: float, evaluation: float | None = None
    ) -> None:
        """Prints a line where there is no bar; an evaluation's mean return is always printed."""
        self._notice(counters, time.monotonic())
        text = self._text(counters, last_return)
        text += "" if evaluation is None else f"  evaluation {evaluation:.1f}"
        if self._bar is None:
            self._print(text)
            return
        if evaluation is not None:
            self._bar.write(text, file=self._stream)
        self._move_bar(text)

    def close(self) -> None:
        """Leaves the bar as it is and goes to the next line."""
        if self._bar is not None:
            self._bar.close()

    def _notice(self, counters: Mapping[str, float], now: float) -> None:
        """Remembers when the newest episode ended, and what one takes."""
        if counters["updates"] and not self._learning:
            self._learning, self._paces = True, 0
        episodes = int(counters["episodes"])
        if episodes == self._episodes:
            return
        self._at_a_time = max(1, episodes - self._episodes)
        took = (now - self._ended_at) / self._at_a_time
        self._paces += 1
        # The first one has built TensorFlow's graphs, and counts for want of another only.
        share = 1 / max(1, min(self._paces - 1, _MEMORY))
        self._pace += share * (took - self._pace)
        self._episodes, self._ended_at = episodes, now

    def _move_bar(self, text: str) -> None:
        self._shown_at = time.monotonic()
        self._bar.n = min(self._episodes, self._total)
        self._bar.set_description_str(text)

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)
        self._printed_at = time.monotonic()

    def _text(self, counters: Mapping[str, float], last_return: float) -> str:
        shown = "-" if math.isnan(last_return) else f"{last_return:.1f}"
        return (
            f"episodes {self._episodes}/{self._total}  steps {int(counters['step'])}"
            f"  updates {int(counters['updates'])}  return {shown}"
            f"  left {self._time_left()}"
        )

    def _time_left(self) -> str:
        if self._paces == 0:
            return "?"
        # What is in progress has at most the time of its kind: the next ones have theirs still.
        passed = min(time.monotonic() - self._ended_at, self._at_a_time * self._pace)
        left = (self._total - self._episodes) * self._pace - passed
        minutes, seconds = divmod(round(max(left, 0.0)), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}"


def _width(stream: TextIO) -> int:
    """Columns of the terminal; 0: none, or one that does not know its width."""
    return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
