"""Calls of a `tf.function` that cost less Python.

TensorFlow holds each call against all that it has traced, which takes 0.3 ms: half of what a small
network's decision costs. Here types and shapes say which trace it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def direct(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for calls by position whose nests never change, only types and shapes.

    What is no `tf.function` is returned as it is; and a call whose leaves are not all tensors, as
    those of a distribution strategy are not, goes the usual way.
    """
    if not isinstance(function, tf.types.experimental.PolymorphicFunction):
        return function
    traces: dict[Any, Callable[..., Any]] = {}

    def call(*inputs: Any) -> Any:
        leaves = tf.nest.flatten(inputs)
        if not all(isinstance(leaf, tf.Tensor) for leaf in leaves):
            return function(*inputs)
        key = tuple((leaf.dtype, *leaf.shape) for leaf in leaves)
        if key not in traces:
            traces[key] = function.get_concrete_function(*inputs)
        return traces[key](*inputs)

    return call
