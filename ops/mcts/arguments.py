"""The numbers a search is called with: Python's, or tensors of one number or one a tree."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ops.mcts.errors import require


class Range(NamedTuple):
    """What a number may be: in words, as a test of arrays and of tensors, and whether of any type
    or of integers alone.
    """

    expected: str
    holds: Callable[[Any], Any]
    whole: bool = False


INFINITY = float("inf")
FINITE = Range("a finite number", lambda x: abs(x) < INFINITY)
NOT_NEGATIVE = Range("a finite number of at least 0", lambda x: (x >= 0) & (x < INFINITY))
POSITIVE = Range("a finite number above 0", lambda x: (x > 0) & (x < INFINITY))
DEPTH = Range("an integer of at least 1", lambda x: x >= 1, whole=True)
FRACTION = Range("a number from 0 to 1", lambda x: (x >= 0) & (x <= 1))


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as a Python integer; a tensor's only where it is known already."""
    try:
        number = operator.index(value)
    except (TypeError, ValueError):
        number = None
    expected = f"an integer of at least {low}" if high is None else f"an integer, {low} to {high}"
    good = number is not None and number >= low and (high is None or number <= high)
    require(good, f"{name} is {_shown(value)}, expected {expected}")
    return number


def known(name: str, value: Any, wanted: Range) -> Any:
    """`value`, held against the range as far as it is known; a known scalar as a float.

    Ranges are held to what is left of a number in float32.
    """
    if not isinstance(value, (int, float)):
        value = _numbers(name, value, wanted)
        if tf.get_static_value(value) is None:
            return value
    array = _array(tf.get_static_value(value) if tf.is_tensor(value) else value)
    good = np.all(wanted.holds(_as_float32(array)))
    require(good, f"{name} is {_shown(array)}, expected {wanted.expected}")
    return float(array) if array.ndim == 0 else value


def number(name: str, value: Any, wanted: Range, batch: tf.Tensor) -> float | tf.Tensor:
    """`value` as a float, or float32 [B] where it is a tensor; `batch` is any tensor [B].

    What is not known before it runs is checked when it does, but for XLA, which drops checks.
    """
    value = known(name, value, wanted)
    if not tf.is_tensor(value):
        return value
    size = batch.shape[:1]
    require(
        value.shape.rank == 0 or value.shape.is_compatible_with(size),
        f"{name} has shape {value.shape}, expected () or {size}, one number a tree",
    )
    value = tf.cast(value, tf.float32)
    if tf.get_static_value(value) is None:
        value = when(tf.reduce_all(wanted.holds(value)), f"{name} is not {wanted.expected}", value)
    return tf.ensure_shape(tf.broadcast_to(value, tf.shape(batch)[:1]), size)


def flag(name: str, value: Any) -> bool:
    """`value` as True or False; a tensor's only where it is known already."""
    try:
        return bool(value)
    except (TypeError, ValueError):
        require(False, f"{name} is {_shown(value)}, expected True or False")


def column(value: float | tf.Tensor) -> float | tf.Tensor:
    """A number, or one a tree [B] as [B, 1]."""
    return value[:, None] if tf.is_tensor(value) and value.shape.rank else value


def when(good: tf.Tensor, message: str, value: tf.Tensor) -> tf.Tensor:
    """`value` if `good`, else InvalidArgumentError; XLA drops the check.

    The value is not shown: around an Assert of floats TensorFlow builds a conditional, which takes
    longer than all that a search does before its first simulation.
    """
    check = tf.debugging.Assert(good, [message])
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(value)


def converted(name: str, value: Any) -> tf.Tensor:
    """`value` as a tensor of whatever type."""
    try:
        return tf.convert_to_tensor(value)
    except (TypeError, ValueError) as error:
        require(False, f"{name} is not a tensor: {first_line(error)}")


def first_line(error: Exception) -> str:
    """What an error says, on one line."""
    return str(error).partition("\n")[0]


def _numbers(name: str, value: Any, wanted: Range) -> tf.Tensor:
    """A tensor of integers or, unless the range is of integers, floats."""
    tensor = converted(name, value)
    good = tensor.dtype.is_integer or (tensor.dtype.is_floating and not wanted.whole)
    require(good, f"{name} is {_shown(value)}, expected {wanted.expected}")
    return tensor


def _array(value: Any) -> np.ndarray:
    try:
        return np.asarray(value, np.float64)
    except OverflowError:  # an integer of 300 digits
        return np.asarray(INFINITY)


def _as_float32(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _shown(value: Any) -> str:
    """A value on one line, short."""
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
