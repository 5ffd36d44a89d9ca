"""The bounds that actions keep to, and where a search between them starts."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf


class Bounds(NamedTuple):
    """What candidates are clipped to, float32 [A] each; low ≤ high, either may be infinite."""

    low: tf.Tensor
    high: tf.Tensor


def make_bounds(action_min: Any, action_max: Any, action_size: int) -> Bounds:
    """Bounds of numbers of any type, scalars or [A].

    Raises:
      ValueError: one is no number, NaN or of another shape, or no finite action lies between them.
      tf.errors.InvalidArgumentError: the same of values that are not known until the graph runs.
    """
    low = _as_vector("action_min", action_min, action_size)
    high = _as_vector("action_max", action_max, action_size)
    known = [tf.get_static_value(bound) for bound in (low, high)]
    if any(values is None for values in known):
        low = _checked_in_the_graph(low, high)
    else:
        _check(*np.broadcast_arrays(*known))
    return Bounds(*(tf.broadcast_to(bound, [action_size]) for bound in (low, high)))


def initial_fit(
    mean: Any, stddev: Any, shape: list[Any], bounds: Bounds
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and stddev that a search starts from, float32 [B, H, A], which is `shape`.

    What is None comes of the bounds: their middle, and half of their distance, so that in [−1, 1]
    a search starts from zeros and ones (PlaNet, Algorithm 2, line 1). For this alone, an infinite
    bound counts as one that is as far from the finite one as that is large, and 2 at least; two of
    them as −1 and 1.

    Raises:
      ValueError: a given one is no number or does not broadcast to `shape`.
    """
    low, high = _finite(bounds)
    given = {"initial_mean": mean, "initial_stddev": stddev}
    # Halved first: the sum and the distance of large ones would overflow.
    default = {"initial_mean": 0.5 * low + 0.5 * high, "initial_stddev": 0.5 * high - 0.5 * low}
    sizes = [None if tf.is_tensor(size) else size for size in shape]
    fit = []
    for name, values in given.items():
        values = default[name] if values is None else as_float32(name, values)
        if not _broadcasts(values.shape, sizes):
            raise ValueError(
                f"{name} has shape {values.shape}; expected one that broadcasts to {sizes}"
            )
        fit.append(tf.broadcast_to(values, shape))
    return fit[0], fit[1]


def as_float32(name: str, values: Any) -> tf.Tensor:
    """Numbers of any type as float32; a ValueError that names them where they are none."""
    try:
        tensor = tf.convert_to_tensor(values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is {values!r}; expected numbers") from error
    if not (tensor.dtype.is_floating or tensor.dtype.is_integer):
        raise ValueError(f"{name} is of type {tensor.dtype.name}; expected numbers")
    return tf.cast(tensor, tf.float32)


def _as_vector(name: str, values: Any, action_size: int) -> tf.Tensor:
    values = as_float32(name, values)
    if not _broadcasts(values.shape, [action_size]):
        raise ValueError(f"{name} has shape {values.shape}; expected a number or [{action_size}]")
    return values


def _broadcasts(shape: tf.TensorShape, sizes: list[int | None]) -> bool:
    """Whether values of a shape, as far as it is known, broadcast to `sizes`."""
    try:
        return tf.broadcast_static_shape(shape, tf.TensorShape(sizes)).is_compatible_with(sizes)
    except ValueError:
        return False


def _check(low: np.ndarray, high: np.ndarray) -> None:
    for a, fits in enumerate(np.atleast_1d(_fits(low, high))):
        if not fits:
            raise ValueError(
                f"action_min is {np.atleast_1d(low)[a]:g} where action_max is "
                f"{np.atleast_1d(high)[a]:g}; expected action_min ≤ action_max and a finite action "
                "between"
            )


def _checked_in_the_graph(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """`low`, once both are known to fit."""
    check = tf.debugging.assert_equal(
        tf.reduce_all(_fits(low, high)),
        True,
        "action_min, action_max: expected action_min ≤ action_max and a finite action between",
    )
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(low)


def _fits(low: Any, high: Any) -> Any:
    return (low <= high) & (low < float("inf")) & (high > -float("inf"))


def _finite(bounds: Bounds) -> Bounds:
    """The bounds that a search starts between."""
    low, high = bounds
    low_known, high_known = tf.math.is_finite(low), tf.math.is_finite(high)
    below = tf.where(high_known, high - tf.maximum(tf.abs(high), 2.0), -1.0)
    above = tf.where(low_known, low + tf.maximum(tf.abs(low), 2.0), 1.0)
    return Bounds(tf.where(low_known, low, below), tf.where(high_known, high, above))
