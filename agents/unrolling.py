"""A step, taken again and again along time: copies of it in the graph, or, for XLA, a loop.

A loop is traced, lowered and compiled once, however long it is; TensorFlow's own executor goes
through copies faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ops import loader

# (state, what it is given at a step) → the next state of the same shapes, what is to be kept
Step = Callable[[Any, Any], tuple[Any, Any]]


def unroll(step: Step, state: Any, given: Any, like: Any) -> tuple[Any, Any]:
    """Takes T steps; differentiable.

    Args:
      step: to take.
      state: a nest of tensors, before the first step.
      given: a nest of tensors [B, T, …], a row each step; T is known.
      like: a nest of tensors of the shapes and types of what is kept of a step.

    Returns:
      the state behind the last step, and what was kept [B, T, …].
    """
    return (loop if loader.compiling() else _copies)(step, state, given, like)


def loop(step: Step, state: Any, given: Any, like: Any) -> tuple[Any, Any]:
    """As `unroll`, in a loop."""
    length = tf.nest.flatten(given)[0].shape[1]
    arrays = tf.nest.map_structure(
        lambda x: tf.TensorArray(x.dtype, length, element_shape=x.shape), like
    )

    def body(t: tf.Tensor, state: Any, arrays: Any) -> tuple[tf.Tensor, Any, Any]:
        state, kept = step(state, tf.nest.map_structure(lambda x: x[:, t], given))
        return t + 1, state, tf.nest.map_structure(lambda a, x: a.write(t, x), arrays, kept)

    # XLA's gradient of a loop wants to know how long it is.
    options = {"maximum_iterations": length, "parallel_iterations": 1}
    start = (tf.constant(0), state, arrays)
    _, state, arrays = tf.while_loop(lambda *_: True, body, start, **options)
    return state, tf.nest.map_structure(lambda array: _batch_first(array.stack()), arrays)


def _copies(step: Step, state: Any, given: Any, like: Any) -> tuple[Any, Any]:
    columns, rows = [tf.unstack(x, axis=1) for x in tf.nest.flatten(given)], []
    for row in zip(*columns, strict=True):
        state, kept = step(state, tf.nest.pack_sequence_as(given, row))
        rows.append(kept)
    return state, tf.nest.map_structure(lambda *values: tf.stack(values, axis=1), *rows)


def _batch_first(values: tf.Tensor) -> tf.Tensor:
    """[T, B, …] → [B, T, …]."""
    return tf.transpose(values, [1, 0, *range(2, values.shape.rank)])
