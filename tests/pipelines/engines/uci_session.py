"""A conversation with a program of UCI or USI, within the process."""

from __future__ import annotations

import time

from pipelines.engines import making
from pipelines.engines.uci import UCI, Uci


class Session:
    """A conversation; answers of searches come when they come."""

    def __init__(self, logdir, player, dialect=UCI) -> None:
        self.written: list[str] = []
        load = lambda options: making.uci_player(player, str(logdir), options)  # noqa: E731
        self.protocol = Uci(dialect, load, lambda text: self.written.append(text.rstrip("\n")))

    def say(self, *lines: str) -> list[str]:
        """What was written by the time that the last one is handled."""
        begin = len(self.written)
        for line in lines:
            assert self.protocol.handle(line)
        return self.written[begin:]

    def search(self, *lines: str) -> list[str]:
        """The same, up to the move."""
        begin = len(self.written)
        self.say(*lines)
        end = time.monotonic() + 60
        while not any(line.startswith("bestmove") for line in self.written[begin:]):
            assert time.monotonic() < end
            time.sleep(0.01)
        return self.written[begin:]
