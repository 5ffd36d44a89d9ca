"""What UCI's and USI's `setoption` sets."""

from __future__ import annotations

import dataclasses

# What a policy has no room for it does not do.
_MOST_SIMULATIONS = 1_000_000
_MOST_LINES = 64
_MOST_OVERHEAD = 5000


@dataclasses.dataclass
class Options:
    """What `setoption` sets.

    Attributes:
      simulations: of a search on which there is no limit; 0: as many as the policy's own.
      lines: `MultiPV`.
      overhead: milliseconds that are lost between the programs.
      ponder: said by whoever ponders; nothing depends on it.
    """

    simulations: int = 0
    lines: int = 1
    overhead: int = 50
    ponder: bool = False

    def described(self) -> list[str]:
        """As `option name` lines have them."""
        return [
            f"Simulations type spin default {self.simulations} min 0 max {_MOST_SIMULATIONS}",
            f"MultiPV type spin default {self.lines} min 1 max {_MOST_LINES}",
            f"Move Overhead type spin default {self.overhead} min 0 max {_MOST_OVERHEAD}",
            f"Ponder type check default {str(self.ponder).lower()}",
        ]

    def set(self, name: str, value: str) -> None:
        """Sets one by its name, in whatever case.

        Raises:
          ValueError: there is none, or it does not take that value.
        """
        spins = {
            "simulations": ("simulations", 0, _MOST_SIMULATIONS),
            "multipv": ("lines", 1, _MOST_LINES),
            "move overhead": ("overhead", 0, _MOST_OVERHEAD),
        }
        key = name.lower().removeprefix("usi_")
        if key == "ponder" and value in ("true", "false"):
            self.ponder = value == "true"
        elif key in spins:
            field, low, high = spins[key]
            if not (value.isascii() and value.isdigit()) or not low <= int(value) <= high:
                raise ValueError(f"option {name} is '{value}', expected {low} to {high}")
            setattr(self, field, int(value))
        elif key == "ponder":
            raise ValueError(f"option {name} is '{value}', expected true or false")
        else:
            raise ValueError(f"no option '{name}'")
