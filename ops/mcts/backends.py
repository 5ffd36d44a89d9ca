"""Which implementation a search runs on."""

from __future__ import annotations

from typing import Any

from ops import loader
from ops.mcts.errors import require
from ops.mcts.qtransforms import QTransform

BACKENDS = ("auto", "native", "tensorflow")


def resolve(backend: str, qtransform: Any = None) -> str:
    """'native' or 'tensorflow'.

    'auto' is native where `loader.serves` says so, and the q-transform is no function of the
    caller's own, which the native ops cannot call.

    Raises:
      tf.errors.InvalidArgumentError: for another name, or 'native' where it cannot be.
    """
    require(backend in BACKENDS, f"backend is {backend!r}, expected one of {', '.join(BACKENDS)}")
    own = qtransform is not None and not isinstance(qtransform, QTransform)
    if backend == "native":
        loader.require("mcts")
        message = "backend is 'native', which cannot call a qtransform of your own; 'auto' can"
        require(not own, message)
    if backend != "auto":
        return backend
    return "tensorflow" if own or not loader.serves("mcts") else "native"
