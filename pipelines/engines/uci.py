"""The Universal Chess Interface and the Universal Shogi Interface: lines in, lines out.

R. Huber and S. Meyer-Kahlen, "Description of the universal chess interface (UCI)", 2006
(https://www.shredderchess.com/download/div/uci.zip); T. Romstad, "The USI protocol", 2007
(http://hgm.nubati.net/usi.html). Both let a program pass over what it does not know; `info string`
says what that was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from pipelines.engines import chess_notation
from pipelines.engines.chess_notation import Line
from pipelines.engines.loading import Loading
from pipelines.engines.search_request import Request
from pipelines.engines.uci_options import Options
from pipelines.system.errors import first_line

if TYPE_CHECKING:
    from pipelines.engines.uci_player import Report, UciPlayer


class Dialect(NamedTuple):
    """Where the two differ.

    Attributes:
      name: the first word of all.
      new_game: a game begins.
      position: the word before a position of one's own.
      fields: of such a position.
      nothing: the move where none is legal.
    """

    name: str
    new_game: str
    position: str
    fields: int
    nothing: str


UCI = Dialect("uci", "ucinewgame", "fen", 6, "0000")
USI = Dialect("usi", "usinewgame", "sfen", 4, "resign")


class Uci:
    """Answers one line at a time; searches answer when they end.

    Who it is and what can be set it says at once; a position waits for the player.

    Args:
      dialect: `UCI` or `USI`.
      load: from the options to the player; called at once, in a thread of its own.
      write: takes the answers, whole lines with their ends, also from other threads.

    Raises:
      UserError: the player cannot be loaded; from the first line that needs it.
    """

    def __init__(
        self, dialect: Dialect, load: Callable[[Options], UciPlayer], write: Callable[[str], None]
    ) -> None:
        self._dialect, self._write = dialect, write
        self._options = Options()
        self._loading = Loading(lambda: load(self._options))
        self._line: Line | None = None
        self._lost = False  # The last position was none.
        # Where the last position came from, as it was written.
        self._last: tuple[str | None, list[str], Line | None] = None, [], None
        self._commands: dict[str, Callable[[list[str]], None]] = {
            dialect.name: self._introduce,
            "isready": self._ready,
            "setoption": self._set_option,
            dialect.new_game: self._begin_game,
            "position": self._set_position,
            "go": self._go,
            "stop": lambda words: self._stop(),
            "ponderhit": lambda words: self._player().ponderhit(),
            "gameover": lambda words: self._stop(),
            "debug": lambda words: None,
            "register": lambda words: None,
        }

    def handle(self, line: str) -> bool:
        """Does what a line says; returns whether more may come."""
        words = line.split()
        known = [i for i, word in enumerate(words) if word in self._commands or word == "quit"]
        if not known:
            if words:
                self._say(f"info string unknown command '{words[0]}'")
            return True
        name, *arguments = words[known[0] :]
        if name == "quit":
            self._stop()
            return False
        try:
            self._commands[name](arguments)
        except ValueError as error:
            self._say(f"info string error: {first_line(error)}")
        return True

    def close(self) -> None:
        """Ends what still runs."""
        player = self._loading.wait()
        if player is not None:
            player.close()

    def _player(self) -> UciPlayer:
        return self._loading.result()

    def _stop(self) -> None:
        if self._line is not None:  # Else nothing was searched yet.
            self._player().stop()

    def _say(self, line: str) -> None:
        self._write(line + "\n")

    def _introduce(self, words: list[str]) -> None:
        self._say("id name Lookahead")
        self._say("id author the authors of Lookahead")
        for line in self._options.described():
            self._say(f"option name {line}")
        self._say(f"{self._dialect.name}ok")

    def _ready(self, words: list[str]) -> None:
        self._player()
        self._say("readyok")

    def _set_option(self, words: list[str]) -> None:
        text = " ".join(words)
        name, _, value = text.removeprefix("name ").partition(" value ")
        self._stop()
        self._options.set(name.strip(), value.strip())

    def _begin_game(self, words: list[str]) -> None:
        self._stop()
        self._line, self._lost = None, False

    def _set_position(self, words: list[str]) -> None:
        self._begin_game(words)
        self._lost = True
        before, moves = words, []
        if "moves" in words:
            at = words.index("moves")
            before, moves = words[:at], words[at + 1 :]
        if before == ["startpos"]:
            start = None
        elif before[:1] == [self._dialect.position]:
            fields = before[1:]
            # Programs may leave out the counters.
            defaults = ["0", "1"] if self._dialect is UCI else ["1"]
            missing = self._dialect.fields - len(fields)
            fields += defaults[len(defaults) - missing :] if 0 < missing <= len(defaults) else []
            start = " ".join(fields)
        else:
            raise ValueError(
                f"position is '{' '.join(before)}'; expected startpos or "
                f"{self._dialect.position} ..."
            )
        self._line, self._lost = self._followed(start, moves), False

    def _followed(self, start: str | None, moves: list[str]) -> Line:
        """The line, from where the last one has come to if it goes on from there."""
        old_start, old_moves, begun = self._last
        if begun is None or old_start != start or moves[: len(old_moves)] != old_moves:
            begun, old_moves = None, []
        line = chess_notation.follow(self._player().game, start, moves[len(old_moves) :], begun)
        self._last = start, moves, line
        return line

    def _go(self, words: list[str]) -> None:
        self._stop()
        request = Request.of(words)
        if "mate" in request.numbers and self._dialect is USI:
            self._say("checkmate notimplemented")
            return
        if self._lost:
            self._say("info string error: the last position could not be read; there is no move")
            self._say(f"bestmove {self._dialect.nothing}")
            return
        line = self._line or self._followed(None, [])
        self._line = line
        legal = chess_notation.legal_moves(line.state)
        searched = [legal[move] for move in request.searchmoves if move in legal]
        if not legal:
            self._say(f"bestmove {self._dialect.nothing}")
            return
        self._player().think(line, request, searched, self._report, self._answer)

    def _report(self, report: Report) -> None:
        """One line of `info` for each continuation."""
        for number, found in enumerate(report.lines):
            moves = chess_notation.moves_text(report.line.state, found.actions)
            score = "" if found.value is None else f"score cp {report.centipawns(found)} "
            self._say(
                f"info depth {report.depth} multipv {number + 1} {score}nodes {report.nodes} "
                f"nps {report.rate} time {report.milliseconds} pv {' '.join(moves)}"
            )

    def _answer(self, line: Line, report: Report | None, error: Exception | None) -> None:
        """The move; with no time for any search, the first legal one."""
        if error is not None:
            self._say(f"info string error: {first_line(error)}")
        actions = report.lines[0].actions if report else line.state.legal_actions()[:1]
        moves = chess_notation.moves_text(line.state, actions[:2])
        self._say("bestmove " + " ponder ".join(moves))
