"""What a served policy is given, checked in the graph: InvalidArgument that names the input.

The checks go along in the SavedModel, since whoever serves it has none of our code, and a runtime
that calls a signature compares types with it but not shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# What boards call the mask of the moves that the rules allow.
_LEGAL = "legal_actions"


def checked(specs: Sequence[tf.TensorSpec], inputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """The inputs, known to be what the specs say.

    Args:
      specs: named, of each input; a first size None is B, the same for all. The first has it.
      inputs: tensors of these types and of any shape.

    Returns:
      The inputs with their static shapes. Where they are computed, an input of another shape, one
      with another number of rows than the first, numbers that are NaN or infinite, and rows without
      a legal action end in InvalidArgumentError, which says what of which input is wrong.
    """
    pairs = list(zip(specs, inputs, strict=True))
    inputs = [_hidden(x) if spec.shape.is_fully_defined() else x for spec, x in pairs]
    fits = _shapes_fit(specs, inputs)
    passed = _behind(fits, lambda: _complain_of_shapes(specs, inputs), inputs)
    # Not ensure_shape, from which the optimiser would learn the shape before it is checked.
    inputs = [
        tf.reshape(x, [-1 if size is None else size for size in spec.shape])
        for spec, x in zip(specs, passed, strict=True)
    ]
    rows = [good for spec, x in zip(specs, inputs, strict=True) for good in _good_rows(spec, x)]
    if not rows:
        return inputs
    good = tf.reduce_all(tf.stack([tf.reduce_all(good) for _, good in rows]))
    return _behind(good, lambda: _complain_of_rows(rows), inputs)


def with_a_legal_action(observation: Any) -> Any:
    """Rows behind a game's end, whose actions nobody uses, as rows in which all is legal."""
    if not isinstance(observation, dict) or _LEGAL not in observation:
        return observation
    legal = tf.convert_to_tensor(observation[_LEGAL])
    over = tf.logical_not(tf.reduce_any(legal, axis=-1, keepdims=True))
    return {**observation, _LEGAL: legal | over}


def complaint(error: tf.errors.InvalidArgumentError) -> str | None:
    """What an assertion in a graph has said; None: it was none."""
    found = re.search(r"assertion failed: \[(.*?)\](?: \[|\s*$)", error.message, re.MULTILINE)
    return found[1] if found else None


def described(spec: tf.TensorSpec) -> str:
    """Type and shape, such as `uint8 [B, 32, 32, 3]`."""
    sizes = ("B" if size is None else str(size) for size in spec.shape)
    return f"{spec.dtype.name} [{', '.join(sizes)}]"


def _behind(
    fine: tf.Tensor, complain: Callable[[], list[tf.Operation]], inputs: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """The inputs, which nobody gets before it is known that they are fine.

    They pass through the branches: the graph's optimiser takes mere control dependencies off
    whatever passes values on. What complaining needs is computed only where it comes to that.
    """

    def passed() -> list[tf.Tensor]:
        return [tf.identity(x) for x in inputs]

    def complained() -> list[tf.Tensor]:
        with tf.control_dependencies(complain()):
            return passed()

    return tf.cond(fine, passed, complained)


def _hidden(x: tf.Tensor) -> tf.Tensor:
    """The same, its shape unknown to the graph's optimiser, which would take a check for true.

    It believes what a signature says of a shape; of one with B in it, it cannot know all.
    """
    return tf.io.parse_tensor(tf.io.serialize_tensor(x), x.dtype)


def _shapes_fit(specs: Sequence[tf.TensorSpec], inputs: Sequence[tf.Tensor]) -> tf.Tensor:
    """Whether all are right, compared as one line of text: few ops, since every step pays."""
    rows = _rows(inputs[0])
    wanted = " ".join(_template(spec) for spec in specs)
    return tf.equal(
        tf.strings.format(" ".join(["{}"] * len(inputs)), [tf.shape(x) for x in inputs]),
        tf.strings.format(wanted, [rows] * wanted.count("{}")),
    )


def _template(spec: tf.TensorSpec) -> str:
    """The shape as TensorFlow prints it, with a gap for B: `[{} 32 32 3]`."""
    return "[" + " ".join("{}" if size is None else str(size) for size in spec.shape) + "]"


def _rows(x: tf.Tensor) -> tf.Tensor:
    """Its first size; of a scalar 1."""
    return tf.reduce_prod(tf.shape(x)[:1])


def _complain_of_shapes(
    specs: Sequence[tf.TensorSpec], inputs: Sequence[tf.Tensor]
) -> list[tf.Operation]:
    rows, assertions = _rows(inputs[0]), []
    for spec, x in zip(specs, inputs, strict=True):
        gaps = _template(spec).count("{}")
        found = tf.strings.format("{}", tf.shape(x))
        fits = tf.equal(found, tf.strings.format(_template(spec), [rows] * gaps))
        text = f"{spec.name} is {spec.dtype.name} {{}}; expected {described(spec)}"
        values = [tf.shape(x)]
        if gaps and spec is not specs[0]:
            text += f", B = {{}} as in {specs[0].name}"
            values.append(rows)
        with tf.control_dependencies(assertions):
            assertions.append(tf.debugging.Assert(fits, [tf.strings.format(text, values)]))
    return assertions


def _good_rows(spec: tf.TensorSpec, x: tf.Tensor) -> list[tuple[str, tf.Tensor]]:
    """What is wrong with an input's rows, and which rows [B] are good; empty: all are."""
    if spec.dtype.is_floating:
        finite = tf.reduce_all(tf.math.is_finite(x), axis=range(1, x.shape.rank))
        return [(f"{spec.name} is NaN or infinite; expected finite numbers", finite)]
    if spec.name == f"observation_{_LEGAL}":
        return [(f"{spec.name} is all false; expected a legal action", tf.reduce_any(x, axis=1))]
    return []


def _complain_of_rows(rows: Sequence[tuple[str, tf.Tensor]]) -> list[tf.Operation]:
    assertions = []
    for text, good in rows:
        bad = tf.where(tf.logical_not(good))[:, 0]
        told = tf.strings.format(text + " in row {}", bad, summarize=8)
        with tf.control_dependencies(assertions):
            assertions.append(tf.debugging.Assert(tf.reduce_all(good), [told]))
    return assertions
