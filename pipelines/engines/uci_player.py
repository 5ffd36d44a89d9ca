"""A policy that plays chess or shogi: options, limits, and a search in the background."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.engines import player as players
from pipelines.engines.chess_notation import Line
from pipelines.engines.player import Player
from pipelines.engines.search_request import Request
from pipelines.engines.thinking import Thinking, growing
from pipelines.engines.uci_options import Options

# A win as sure as a policy's value can be, in centipawns.
_SURE = 0.9999


class Report(NamedTuple):
    """What one search has found.

    Attributes:
      line: the position.
      lines: continuations, the best first.
      depth: number of the search, from 1.
      nodes: simulations of all so far.
      seconds: since the first began.
    """

    line: Line
    lines: list[players.Line]
    depth: int
    nodes: int
    seconds: float

    @property
    def milliseconds(self) -> int:
        """`seconds` in whole milliseconds."""
        return round(1000 * self.seconds)

    @property
    def rate(self) -> int:
        """Nodes a second."""
        return round(self.nodes / max(self.seconds, 1e-3))

    @staticmethod
    def centipawns(found: players.Line) -> int:
        """A value as the advantage that wins as often: 400 log10(p / (1 - p)).

        As of Elo's difference (https://www.chessprogramming.org/Pawn_Advantage,_Win_Percentage,
        _and_Elo).
        """
        p = 0.5 + 0.5 * _SURE * float(np.clip(found.value or 0.0, -1, 1))
        return round(400 * math.log10(p / (1 - p)))


class UciPlayer:
    """A player that thinks in the background.

    Args:
      player: the policy.
      game: OpenSpiel's.
      options: that whoever plays with it sets.

    Attributes:
      game: the same.
    """

    def __init__(self, player: Player, game: Any, options: Options) -> None:
        self.game = game
        self._player, self._options = player, options
        self._first = game.new_initial_state().current_player()
        self._thinking: Thinking[Report] | None = None
        self._waiting: Request | None = None
        self._moves_first = True

    def think(
        self,
        line: Line,
        request: Request,
        searched: Sequence[int],
        on_report: Callable[[Report], None],
        on_answer: Callable[[Line, Report | None, Exception | None], None],
    ) -> None:
        """Begins to search.

        Args:
          line: the position, in which there is a legal move.
          request: what it is asked for.
          searched: actions to choose from; empty: all legal ones.
          on_report: called with what each search finds.
          on_answer: called once, with position, last report (None: there was no time for any), and
            what has gone wrong (None: nothing).
        """
        self._moves_first = line.state.current_player() == self._first
        self._waiting = request if request.ponder else None
        limits = request.limits(self._moves_first, self._options.overhead / 1000)
        if request.ponder:
            limits = limits._replace(until_stopped=True)
        counts = self._counts(request)
        deepen = self._deepener(line, searched)
        answer = functools.partial(on_answer, line)
        self._thinking = Thinking(deepen, counts, limits, on_report, answer)

    def ponderhit(self) -> None:
        """The expected move has been played: the clock runs from now."""
        if self._thinking is not None and self._waiting is not None:
            overhead = self._options.overhead / 1000
            self._thinking.limit(self._waiting.limits(self._moves_first, overhead))
        self._waiting = None

    def stop(self) -> None:
        """Has the search answer, if one runs."""
        if self._thinking is not None:
            self._thinking.stop()

    def close(self) -> None:
        """The same, and waits for what it still computes."""
        if self._thinking is not None:
            self._thinking.close()

    def _counts(self, request: Request) -> list[int]:
        """Simulations of the searches."""
        timed = {"wtime", "btime", "movetime", "byoyomi", "depth", "mate"} & set(request.numbers)
        most = self._options.simulations or self._player.simulations
        if timed or request.infinite:
            most = self._player.most_simulations
        if "nodes" in request.numbers:
            most = max(request.numbers["nodes"], 1)
        most = min(most, self._player.most_simulations)
        counts = growing(most)
        return counts[: max(request.numbers["depth"], 1)] if "depth" in request.numbers else counts

    def _deepener(
        self, line: Line, searched: Sequence[int]
    ) -> Callable[[int, Callable[[], bool]], Report | None]:
        position = self._player.position(line.actions, line.start)
        allowed = None
        if searched:
            allowed = np.isin(np.arange(self._player.num_actions), searched)
        began, done = time.monotonic(), []

        def deepen(count: int, going_on: Callable[[], bool]) -> Report | None:
            found = self._player.study(position, count, allowed, going_on)
            if found is None:
                return None
            done.append(count)
            lines = self._player.lines(line.actions, line.start, found, self._options.lines)
            seconds = time.monotonic() - began
            return Report(line, lines, len(done), sum(done), seconds)

        return deepen
