"""Rules of two-player board games as TensorFlow ops on packed states."""

from ops.games.options import GAMES
from ops.games.rules import Rules, Step, make

__all__ = ["GAMES", "Rules", "Step", "make"]
