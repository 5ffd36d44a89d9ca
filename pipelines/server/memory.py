"""What Python and the C library keep of memory that is not needed any more."""

from __future__ import annotations

import ctypes
import gc
import os

_ARENA_MAX = -8  # M_ARENA_MAX of glibc's malloc.h.


def settle() -> None:
    """Before anything is served: what libraries have made stays, and is not looked through again.

    Threads share as many of malloc's arenas as there are cores, not eight times that: each version
    comes with a thread of its own, and an arena keeps some of what its threads once had.
    """
    gc.collect()
    gc.freeze()
    _glibc("mallopt", _ARENA_MAX, os.cpu_count() or 1)


def give_back() -> None:
    """Gives the machine back what nothing holds; TensorFlow's functions hold each other."""
    gc.collect()
    _glibc("malloc_trim", 0)


def _glibc(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:  # Another C library has none, and other habits.
        function(*arguments)
