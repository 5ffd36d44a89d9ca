"""The rule by which a simulation walks down: everything `simulate` needs beside the tree."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ops.mcts import arguments, qtransforms
from ops.mcts import tree as t
from ops.mcts.qtransforms import Number, QTransform, QTransformFn

UNLIMITED_DEPTH = (1 << 31) - 1

# A row of the native ops' `parameters`: the enumeration RuleParameter of cc/kernels/tree.h.
PARAMETERS = (
    *("pb_c_init", "pb_c_base", "min_value", "max_value", "fpu_reduction"),
    *("value_scale", "maxvisit_init", "epsilon", "max_depth"),
)


class SelectionRule(NamedTuple):
    """`kind` is 'puct', 'gumbel' or 'stochastic'; each of the last three is read by one kind alone.

    Numbers may be tensors [B], one a tree; a q-transform may be a function of the caller's own.

    gumbel: [B, A], the noise of the root's actions; read by gumbel's root.
    considered: [max considered + 1, N], see seq_halving; read by gumbel's root.
    first_outcome: actions from here on are outcomes of chance; the others are the players', who
      move by PUCT. Read by stochastic, whose nodes' legal actions are all of one kind.
    """

    kind: str
    qtransform: QTransform | QTransformFn
    max_depth: int | tf.Tensor = UNLIMITED_DEPTH
    pb_c_init: Number = 1.25
    pb_c_base: Number = 19652.0
    gumbel: tf.Tensor | None = None
    considered: tf.Tensor | None = None
    first_outcome: int = 0

    def numbers(self) -> dict[str, Any]:
        """All PARAMETERS by name: numbers, or tensors [B]. Not for a function of the caller's."""
        own = {"pb_c_init", "pb_c_base", "max_depth"}
        return {k: getattr(self if k in own else self.qtransform, k) for k in PARAMETERS}

    def plain_numbers(self) -> dict[str, float]:
        """As `numbers`, with a 1 of no meaning where a tensor gives each tree its own."""
        return {k: 1 if tf.is_tensor(v) else v for k, v in self.numbers().items()}

    def parameters(self) -> tf.Tensor | None:
        """The numbers a tree [B, 9]; None where none of them is a tensor."""
        numbers = self.numbers()
        given = [number for number in numbers.values() if tf.is_tensor(number)]
        if not given:
            return None
        # No walk is longer than a tree has nodes, which float32 counts.
        numbers["max_depth"] = tf.minimum(numbers["max_depth"], t.MAX_NODES)
        size = tf.shape(given[0])
        columns = [tf.broadcast_to(tf.cast(n, tf.float32), size) for n in numbers.values()]
        return tf.stack(columns, axis=1)


def selection_rule(
    kind: str,
    qtransform: QTransform | QTransformFn,
    max_depth: int | tf.Tensor | None,
    batch: tf.Tensor,
    pb_c_init: Number = 1.25,
    pb_c_base: Number = 19652.0,
) -> SelectionRule:
    """The rule of a search's arguments for the trees of `batch`, any tensor [B].

    Raises:
      tf.errors.InvalidArgumentError: names the argument that is wrong.
    """
    return SelectionRule(
        kind,
        _with_numbers(qtransforms.resolved(qtransform), batch),
        _depth(max_depth, batch),
        arguments.number("pb_c_init", pb_c_init, arguments.NOT_NEGATIVE, batch),
        arguments.number("pb_c_base", pb_c_base, arguments.POSITIVE, batch),
    )


def _depth(max_depth, batch):
    if max_depth is None:
        return UNLIMITED_DEPTH
    given = tf.get_static_value(max_depth) if tf.is_tensor(max_depth) else max_depth
    if given is not None and np.ndim(given) == 0:
        return min(arguments.integer("max_depth", given, 1), UNLIMITED_DEPTH)
    depths = arguments.number("max_depth", max_depth, arguments.DEPTH, batch)
    return tf.cast(tf.minimum(depths, t.MAX_NODES), tf.int32)


def _with_numbers(qtransform, batch):
    """A value's numbers, each a float or [B]; a function stays as it is."""
    if not isinstance(qtransform, QTransform):
        return qtransform
    ranges = qtransforms.RANGES.items()
    each = {k: arguments.number(k, getattr(qtransform, k), wanted, batch) for k, wanted in ranges}
    each["min_value"] = qtransforms.below(each["min_value"], each["max_value"])
    return qtransform._replace(**each)
