"""Which implementation a search runs on."""

from __future__ import annotations

from ops import loader
from ops.mcts.errors import require

BACKENDS = ("auto", "native", "tensorflow")


def resolve(backend: str) -> str:
    """'native' or 'tensorflow'.

    'auto' is native where `loader.serves` says so.

    Raises:
      tf.errors.InvalidArgumentError: for another name, or 'native' without the library.
    """
    require(backend in BACKENDS, f"backend is {backend!r}, expected one of {', '.join(BACKENDS)}")
    if backend == "native":
        require(loader.load("mcts") is not None, loader.why_missing("mcts"))
    if backend != "auto":
        return backend
    return "native" if loader.serves("mcts") else "tensorflow"
