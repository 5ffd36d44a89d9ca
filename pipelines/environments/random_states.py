"""Snapshots of NumPy's generators as plain data that JSON and pickle both take."""

from __future__ import annotations

from typing import Any

import numpy as np

RandomState = dict[str, Any]


def from_legacy(generator: np.random.RandomState) -> RandomState:
    """Returns the state of a `RandomState`, its key as a list of integers."""
    return _plain(generator.get_state(legacy=False))


def to_legacy(state: RandomState, generator: np.random.RandomState) -> None:
    """Puts `state` into `generator`.

    Raises:
      ValueError: if `state` is not one of a `RandomState`.
    """
    key = np.asarray(state["state"]["key"], np.uint32)
    generator.set_state({**state, "state": {**state["state"], "key": key}})


def from_generator(generator: np.random.Generator) -> RandomState:
    """Returns the state of a `Generator`'s bit generator."""
    return _plain(generator.bit_generator.state)


def to_generator(state: RandomState, generator: np.random.Generator) -> None:
    """Puts `state` into `generator`'s bit generator.

    Raises:
      ValueError: if `state` is of another kind of bit generator.
    """
    generator.bit_generator.state = state


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value
