"""Losses never broadcast: a prediction that has another shape than its target is one line."""

from __future__ import annotations

import tensorflow as tf


def check_same_shape(**tensors: tf.Tensor) -> None:
    """Checks that tensors have one shape, as far as shapes are known when a graph is built.

    Raises:
      ValueError: names the tensors and their shapes.
    """
    shapes = {name: tf.convert_to_tensor(values).shape for name, values in tensors.items()}
    first, *others = shapes.values()
    if not all(first.is_compatible_with(shape) for shape in others):
        said = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"expected one shape, got {said}")
