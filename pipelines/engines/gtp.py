"""The Go Text Protocol, version 2: lines in, lines out.

G. Farnebäck, "Specification of the Go Text Protocol, version 2, draft 2", 2002
(https://www.lysator.liu.se/~gunnar/gtp/), with Leela Zero's analysis beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pipelines.engines.go_player import GoPlayer
from pipelines.engines.gtp_commands import COMMANDS, GtpError
from pipelines.system.errors import UserError, first_line

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Gtp:
    """Answers one line at a time.

    Args:
      player: plays.
      write: takes the answers, whole lines with their ends.
    """

    def __init__(self, player: GoPlayer, write: Callable[[str], None]) -> None:
        self._player, self._write = player, write

    def handle(self, line: str) -> bool:
        """Does what a line says; returns whether more may come.

        A line of any kind ends an analysis, whose answer it completes.
        """
        if self._player.analysing:
            self._player.stop()
            self._write("\n")
        text = _CONTROL.sub("", line.partition("#")[0]).replace("\t", " ").strip()
        words = text.split()
        if not words:
            return True
        number = words.pop(0) if words[0].isdigit() else ""
        name, *arguments = words or [""]
        self._answer(number, name, arguments)
        return name != "quit"

    def close(self) -> None:
        """Ends what still runs."""
        self._player.close()

    def _answer(self, number: str, name: str, arguments: list[str]) -> None:
        try:
            command = COMMANDS.get(name)
            if command is None:
                raise GtpError("unknown command")
            answer = command(self._player, arguments)
        except (GtpError, UserError) as error:
            self._write(f"?{number} {first_line(error)}\n\n")
            return
        if isinstance(answer, str):
            self._write(f"={number} {answer}".rstrip() + "\n\n")
        else:  # An analysis, which the next line ends.
            self._write(f"={number}\n")
            answer(self._write)
