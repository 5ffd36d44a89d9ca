"""Which implementation plans, and in which precision."""

from __future__ import annotations

from ops import loader

BACKENDS = ("auto", "native", "tensorflow")
PRECISIONS = ("float32", "bfloat16")


def resolve(backend: str) -> str:
    """'native' or 'tensorflow'.

    'auto' is native where `loader.serves` says so.

    Raises:
      ValueError: another name, or (loader.LibraryMissing) 'native' without the library.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; expected one of {BACKENDS}")
    if backend == "native":
        loader.require("cem")
    if backend != "auto":
        return backend
    return "native" if loader.serves("cem") else "tensorflow"


def check_precision(precision: str, backend: str) -> None:
    """Raises ValueError where a backend has no products of `precision`."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; expected one of {PRECISIONS}")
    if precision != "float32" and backend != "native":
        raise ValueError(
            f"precision is {precision!r}, which the {backend} backend does not have; "
            "expected 'float32', or the native backend"
        )
