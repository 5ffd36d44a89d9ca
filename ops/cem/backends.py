"""Which implementation plans."""

from __future__ import annotations

from ops import loader

BACKENDS = ("auto", "native", "tensorflow")


def resolve(backend: str) -> str:
    """'native' or 'tensorflow'.

    'auto' is native where `loader.serves` says so.

    Raises:
      ValueError: another name, or 'native' without the library.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; expected one of {BACKENDS}")
    if backend == "native" and loader.load("cem") is None:
        raise ValueError(f"backend is 'native', but {loader.why_missing('cem')}")
    if backend != "auto":
        return backend
    return "native" if loader.serves("cem") else "tensorflow"
