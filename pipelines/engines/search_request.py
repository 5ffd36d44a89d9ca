"""What UCI's and USI's `go` asks for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipelines.engines.clock import limits
from pipelines.engines.thinking import Limits

_TIMES = ("wtime", "btime", "winc", "binc", "movetime", "byoyomi")
_NUMBERS = (*_TIMES, "movestogo", "depth", "nodes", "mate")
_SWITCHES = ("infinite", "ponder")


@dataclasses.dataclass
class Request:
    """The words behind `go`, by name; None: not said.

    Attributes:
      numbers: of those that have one; times are milliseconds.
      infinite, ponder: said or not.
      searchmoves: the moves to choose from; empty: all.
    """

    numbers: dict[str, int]
    infinite: bool
    ponder: bool
    searchmoves: list[str]

    @classmethod
    def of(cls, words: Sequence[str]) -> Request:
        """Reads the words; of unknown ones nothing is kept.

        Raises:
          ValueError: a number is none.
        """
        numbers, moves, at = {}, [], 0
        while at < len(words):
            word = words[at]
            at += 1
            if word in _NUMBERS:
                numbers[word] = _number(word, words[at : at + 1])
                at += 1
            elif word == "searchmoves":
                known = (*_NUMBERS, *_SWITCHES)
                while at < len(words) and words[at] not in known:
                    moves.append(words[at])
                    at += 1
        # USI says `mate infinite` too.
        return cls(numbers, "infinite" in words, "ponder" in words, moves)

    def limits(self, first: bool, overhead: float) -> Limits:
        """The limits of the search, once it is our turn.

        Args:
          first: we are who moves first: White in chess (`wtime`), Black in shogi (`btime`).
          overhead: seconds that are lost on the way.
        """
        numbers = {name: value / 1000 for name, value in self.numbers.items()}
        if self.infinite:
            return Limits(until_stopped=True)
        if "movetime" in numbers:
            seconds = max(numbers["movetime"] - overhead, 0.0)
            return Limits(seconds, seconds)
        colour = "w" if first else "b"
        byoyomi = numbers.get("byoyomi", 0.0)
        if f"{colour}time" not in numbers and not byoyomi:
            return Limits()
        remaining = numbers.get(f"{colour}time", 0.0)
        if byoyomi and remaining <= byoyomi:
            return limits(remaining + byoyomi, moves_to_go=1, overhead=overhead)
        increment = numbers.get(f"{colour}inc", 0.0) + byoyomi
        return limits(remaining, increment, self.numbers.get("movestogo"), overhead)


def _number(name: str, words: Sequence[str]) -> int:
    text = words[0] if words else ""
    if name == "mate" and text == "infinite":
        return 0
    if not text.removeprefix("-").isdigit():
        raise ValueError(f"{name} is '{text}', expected a number")
    return int(text)
