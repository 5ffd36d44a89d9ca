"""Games of a match, written as SGF (Go), PGN (chess) or lists of moves (any game)."""

from __future__ import annotations

import datetime
import pathlib
from collections.abc import Callable, Sequence

from pipelines.engines import sgf
from pipelines.engines.arena import Contestant, Game
from pipelines.system import files
from pipelines.system.errors import UserError

# Ending of the file → the one game that it is for; None: any.
ENDINGS = {".sgf": "go", ".pgn": "chess", ".txt": None}

_WIDTH = 80


class Record:
    """A file to which games are added as they end.

    Args:
      path: whose ending says how they are written.
      game: that is played.
      event: what they belong to.

    Raises:
      UserError: the ending does not fit the game, or the file cannot be written.
    """

    def __init__(self, path: str, game: str, event: str) -> None:
        ending = pathlib.Path(path).suffix
        if ending not in ENDINGS or ENDINGS[ending] not in (None, game):
            fitting = [end for end, only in ENDINGS.items() if only in (None, game)]
            raise UserError(
                f"--record is '{path}'; expected a file name that ends in {' or '.join(fitting)}"
            )
        self._path, self._event, self._count = pathlib.Path(path), event, 0
        formats: dict[str, Callable[[Game, Sequence[str]], str]] = {
            ".sgf": _sgf,
            ".pgn": self._pgn,
            ".txt": _moves,
        }
        self._text = formats[ending]
        with files.writing(path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text("")

    def add(self, game: Game, players: Sequence[Contestant]) -> None:
        """Adds a game that has ended; `players` as they moved."""
        self._count += 1
        text = self._text(game, [player.name for player in players])
        with files.writing(self._path), self._path.open("a") as stream:
            stream.write(text)

    def _pgn(self, game: Game, names: Sequence[str]) -> str:
        """Portable Game Notation, 1994 (export format but for the width of long names)."""
        result = {1.0: "1-0", -1.0: "0-1", 0.0: "1/2-1/2"}[game.result.outcome]
        tags = {
            "Event": self._event,
            "Site": "?",
            "Date": datetime.date.today().strftime("%Y.%m.%d"),
            "Round": str(self._count),
            "White": names[0],
            "Black": names[1],
            "Result": result,
        }
        if game.result.reason:
            tags["Termination"] = game.result.reason
        head = "".join(f'[{tag} "{_quoted(value)}"]\n' for tag, value in tags.items())
        state, words = game.environment.state.get_game().new_initial_state(), []
        for number, action in enumerate(game.actions):
            words += [f"{number // 2 + 1}."] if number % 2 == 0 else []
            words.append(state.action_to_string(action))
            state.apply_action(action)
        return f"{head}\n{_wrapped([*words, result])}\n\n"


def _sgf(game: Game, names: Sequence[str]) -> str:
    winner = {1.0: "B+", -1.0: "W+", 0.0: "0"}[game.result.outcome]
    reason = game.result.reason
    how = {"resignation": "R"}.get(reason, "F" if reason.startswith("illegal") else "")
    result = winner + how if how else reason
    properties = {"PB": names[0], "PW": names[1], "RE": result, "RU": "Tromp-Taylor"}
    return sgf.write(game.go, properties)


def _moves(game: Game, names: Sequence[str]) -> str:
    """One line: players, result for the first, OpenSpiel's actions."""
    outcome = {1.0: "1", -1.0: "0", 0.0: "1/2"}[game.result.outcome]
    return f"{names[0]}\t{names[1]}\t{outcome}\t{' '.join(map(str, game.actions))}\n"


def _wrapped(words: Sequence[str]) -> str:
    lines = [""]
    for word in words:
        if lines[-1] and len(lines[-1]) + 1 + len(word) > _WIDTH:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
