"""A game on the page: moves of both sides, the policy's own, and what it thinks of the position."""

from __future__ import annotations

import contextlib
import functools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from pipelines.engines.player import Found, Line, Player
from pipelines.engines.thinking import Limits, Thinking, growing
from pipelines.engines.web_board import Board, Move, outcome_words

# Moves of which a page shows what follows.
_LINES = 5


class Refused(Exception):
    """What the page has asked for cannot be done; one line."""


class WebGame:
    """One game, which everybody who opens the page sees.

    Args:
      player: the policy.
      environment: a game of two, the page's own.
    """

    def __init__(self, player: Player, environment: Any) -> None:
        self._player, self._environment = player, environment
        self._board = Board(environment)
        # One change at a time; what it leaves is under a lock of its own, which nobody holds while
        # the policy is asked, since whoever answers it may want to see the state.
        self._change, self._lock = threading.Lock(), threading.RLock()
        self._analysis: Thinking | None = None
        self._analysing = self._moving = self._stopped = self._closed = False
        self._version = 0
        self._go_to([])

    def close(self) -> None:
        """Ends what still searches, and waits for it; nothing is played any more."""
        with self._lock:
            self._stopped, self._analysing, self._closed = True, False, True
            analysis, self._analysis = self._analysis, None
        if analysis is not None:
            analysis.close()

    def look(self) -> dict[str, Any]:
        """See `Board.look`; `simulations` of a move, and the most that there is room for."""
        player = self._player
        counts = {"simulations": player.simulations, "most": player.most_simulations}
        return {**self._board.look(), **counts}

    def state(self) -> dict[str, Any]:
        """All that the page shows and that changes."""
        with self._lock:
            moves = [move._asdict() for move in self._legal]
            return {
                "version": self._version,
                "pieces": self._pieces,
                "turn": len(self._actions) % 2,
                "moves": moves,
                "played": self._words,
                "last": self._last and self._last._asdict(),
                "result": self._result,
                "values": self._values,
                "found": self._found,
                "analysing": self._analysing,
                "moving": self._moving,
            }

    def play(self, action: int) -> None:
        """Makes a move of whoever is to move."""
        with self._changing():
            if action not in [move.action for move in self._legal]:
                raise Refused(f"action is {action}, which is not legal here")
            self._go_to([*self._actions, action])

    def undo(self) -> None:
        """Takes the last move back."""
        with self._changing():
            if not self._actions:
                raise Refused("there is no move to take back")
            self._go_to(self._actions[:-1])

    def restart(self) -> None:
        """Begins a new game."""
        with self._changing():
            self._values = []
            self._go_to([])

    def analyse(self, on: bool) -> None:
        """Searches in every position that comes up, or no longer."""
        with self._changing():
            self._analysing = on

    def stop(self) -> None:
        """Ends the search for a move: none is made."""
        self._stopped = True

    def move(self, simulations: int | None = None) -> None:
        """Has the policy move; returns when it has, or when it was stopped."""
        with self._changing():
            if self._result is not None:
                raise Refused("the game is over")
            self._moving, self._stopped, actions = True, False, self._actions
        try:
            position = self._player.position(actions)
            going_on = lambda: not self._stopped  # noqa: E731
            found = self._player.study(position, simulations, going_on=going_on)
            lines = [] if found is None else self._lines(actions, found)
        finally:
            with self._lock:
                self._moving = False
                self._version += 1
        with self._changing():
            if found is not None and actions is self._actions:
                self._note(actions, found, lines)
                self._go_to([*actions, found.action])

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """Around what changes the game: the analysis ends before it, and begins again after it."""
        with self._change:
            with self._lock:
                if self._closed:
                    raise Refused("the game is closed; begin another")
                if self._moving:
                    raise Refused("it is thinking about its move: wait, or stop it")
                analysis, self._analysis = self._analysis, None
            if analysis is not None:
                analysis.stop()
            with self._lock:
                try:
                    yield
                finally:
                    self._version += 1
                    if self._analysing and self._result is None and not self._moving:
                        self._analysis = self._analysed(self._actions)

    def _analysed(self, actions: list[int]) -> Thinking:
        position = self._player.position(actions)

        def deepen(simulations: int, going_on: Callable[[], bool]) -> Found | None:
            return self._player.study(position, simulations, going_on=going_on)

        limits = Limits(math.inf, math.inf, until_stopped=True)
        told = functools.partial(self._tell, actions)
        return Thinking(deepen, growing(self._player.most_simulations), limits, told)

    def _lines(self, actions: list[int], found: Found) -> list[Line]:
        return self._player.lines(actions, None, found, self._player.num_actions)

    def _tell(self, actions: list[int], found: Found) -> None:
        """Notes what an analysis has found where `actions` have led."""
        self._note(actions, found, self._lines(actions, found))

    def _note(self, actions: list[int], found: Found, lines: Sequence[Line]) -> None:
        with self._lock:
            if actions is not self._actions:
                return
            legal = {move.action: move for move in self._legal}
            told = []
            for number, line in enumerate(lines):
                shown = line.actions if number < _LINES else line.actions[:1]
                told.append(
                    {
                        **legal[line.actions[0]]._asdict(),
                        "visits": line.visits,
                        "value": line.value,
                        "words": self._board.words(self._environment, shown),
                    }
                )
            self._found = {
                "simulations": found.simulations,
                "value": found.value,
                "lines": sorted(told, key=lambda each: -each["visits"]),
            }
            if found.value is not None:
                # The curve is that of who moves first.
                self._values[len(actions)] = found.value * (-1 if len(actions) % 2 else 1)
            self._version += 1

    def _go_to(self, actions: list[int]) -> None:
        environment, self._words, self._last = self._environment, [], None
        timestep = environment.reset()
        for action in actions:
            self._last = self._described(action)
            self._words.append(self._last.text)
            timestep = environment.step(action)
        self._actions, self._found, self._result = actions, None, None
        self._pieces = environment.pieces().tolist()
        self._legal: Sequence[Move] = ()
        if timestep.last():
            outcome = float(timestep.reward) * (1 if len(actions) % 2 else -1)
            self._result = outcome_words(outcome)
        else:
            legal = np.flatnonzero(timestep.observation["legal_actions"])
            self._legal = self._board.moves(environment, legal)
        known = getattr(self, "_values", [])[: len(actions) + 1]
        self._values: list[float | None] = known + [None] * (len(actions) + 1 - len(known))

    def _described(self, action: int) -> Move:
        return self._board.moves(self._environment, [action])[0]
