"""Calls of a `tf.function` that cost less Python.

TensorFlow holds each call against all that it has traced, and its arguments against the trace's,
which takes half a millisecond: more than a small network's decision costs. Here types and shapes
say which trace it is, and in which order it takes tensors is found once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf


def direct(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for calls by position whose nests never change, only types and shapes.

    What is no `tf.function` is returned as it is. The usual way go calls whose leaves are not all
    tensors, as those of a distribution strategy are not, those that leave defaults out, and those
    of a graph that is being built. No gradient tape sees what the others do.
    """
    if not isinstance(function, tf.types.experimental.PolymorphicFunction):
        return function
    traces: dict[Any, Callable[[Sequence[tf.Tensor]], Any] | None] = {}

    def call(*inputs: Any) -> Any:
        leaves = tf.nest.flatten(inputs)
        if not tf.executing_eagerly() or not all(isinstance(leaf, tf.Tensor) for leaf in leaves):
            return function(*inputs)
        key = tuple((leaf.dtype, *leaf.shape) for leaf in leaves)
        if key not in traces:
            traces[key] = _caller(function.get_concrete_function(*inputs), inputs)
        caller = traces[key]
        return function(*inputs) if caller is None else caller(leaves)

    return call


def _caller(trace: Any, inputs: tuple[Any, ...]) -> Callable[[Sequence[tf.Tensor]], Any] | None:
    """Calls a trace with the leaves of such inputs; None: it has others, which have defaults."""
    positional, named = trace.structured_input_signature
    if len(positional) != len(inputs) or named:
        return None
    # Which leaf goes where TensorFlow says of copies that are all different.
    copies = tf.nest.map_structure(tf.identity, inputs)
    places = {id(leaf): place for place, leaf in enumerate(tf.nest.flatten(copies))}
    kind = trace.function_type
    order = [places[id(tensor)] for tensor in kind.unpack_inputs(kind.bind(*copies))]

    def call(leaves: Sequence[tf.Tensor]) -> Any:
        ordered = [leaves[place] for place in order]
        return trace.inference_fn.call_preflattened([*ordered, *trace.captured_inputs])

    return call
