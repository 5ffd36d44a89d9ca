"""Which implementation a game's rules run on."""

from __future__ import annotations

from ops import loader
from ops.games.options import BACKENDS

# Games whose rules are written in plain TensorFlow too; what is seen of a position is for all.
PORTABLE = ("tic_tac_toe", "connect_four", "othello")


def checked(backend: str, game: str) -> str:
    """`backend` if it is one, and the game can run on it.

    Raises:
      ValueError: it is not, or (loader.LibraryMissing) the library is missing that it takes.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}, expected one of {', '.join(BACKENDS)}")
    if backend == "native":
        loader.require("games")
    if game not in PORTABLE:
        if backend == "tensorflow":
            raise _no_twin("backend is 'tensorflow'", game)
        loader.require("games", f"{game} has native rules alone")
    return backend


def resolve(backend: str, game: str, has_twin: bool) -> str:
    """'native' or 'tensorflow', for a question that has a twin or not.

    'auto' is native where `loader.serves` says so, and for a game without a twin: beside a GPU its
    tensors then cross to the CPU.

    Raises:
      ValueError: a game without a twin is asked for in a graph that native ops cannot be in.
    """
    if backend != "auto":
        return backend
    if has_twin:
        return "native" if loader.serves("games") else "tensorflow"
    if loader.is_portable() or loader.compiling():
        raise _no_twin("this graph is for plain TensorFlow", game)
    return "native"


def _no_twin(reason: str, game: str) -> ValueError:
    return ValueError(f"{reason}, but {game} has native rules alone, unlike {', '.join(PORTABLE)}")
