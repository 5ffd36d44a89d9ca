"""How the Q-values of a node's actions become comparable with its prior.

Each function of mctx's name returns a `QTransform`, a value that both backends read; called as mctx
calls it, with a tree and nodes, it gives the transformed values there. ops/mcts/README.md says how
to add one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ops.mcts import arguments
from ops.mcts import tree as t
from ops.mcts.arguments import column
from ops.mcts.c_types import QTRANSFORM_KINDS
from ops.mcts.errors import require
from ops.mcts.tree import AtNodes, SearchTree

TINY = tf.float32.as_numpy_dtype(1.1754944e-38)

Number = float | tf.Tensor

# A transform of the caller's own: (tree, node_index int32 [B]) -> [B, A].
QTransformFn = Callable[[SearchTree, tf.Tensor], tf.Tensor]


class QTransform(NamedTuple):
    """Which transform, and its parameters; those that the transform does not read keep their
    defaults.

    Numbers may be float32 tensors, of one number or one a tree [B].
    """

    kind: str
    min_value: Number = 0.0
    max_value: Number = 1.0
    fpu_reduction: Number = -1.0  # negative: no first-play urgency
    value_scale: Number = 0.1
    maxvisit_init: Number = 50.0
    rescale_values: bool = True
    use_mixed_value: bool = True
    epsilon: Number = 1e-8

    def __call__(self, tree: SearchTree, node_index: tf.Tensor) -> tf.Tensor:
        """The values at one node a tree: node_index int32 [B] to [B, A]."""
        return transform(self, t.at_nodes(*tree.node_rows(node_index)), tree.stats)


RANGES = {
    "min_value": arguments.FINITE,
    "max_value": arguments.FINITE,
    "fpu_reduction": arguments.FINITE,
    "value_scale": arguments.FINITE,
    "maxvisit_init": arguments.FINITE,
    "epsilon": arguments.POSITIVE,
}


def resolved(qtransform: QTransform | QTransformFn) -> QTransform | QTransformFn:
    """What a caller gave: a value, or a function that makes one (as mctx takes them), or a function
    of the caller's own.

    Raises:
      tf.errors.InvalidArgumentError: for anything else.
    """
    if isinstance(qtransform, QTransform):
        require(qtransform.kind in QTRANSFORM_KINDS, f"qtransform is of kind {qtransform.kind!r}")
        return qtransform
    function = qtransform
    while isinstance(function, functools.partial):
        function = function.func
    if getattr(function, "makes_qtransform", False):
        try:
            return qtransform()
        except TypeError as error:  # a parameter is missing, or not one of its own
            require(False, f"qtransform: {error}")
    require(
        callable(qtransform),
        f"qtransform is {qtransform!r}, expected one of mcts.qtransform_… or a function "
        "(tree, node_index [B]) -> [B, A]",
    )
    return qtransform


def below(min_value: Number, max_value: Number) -> Number:
    """`min_value`, refused where the bounds have no span in float32."""
    if tf.is_tensor(min_value) or tf.is_tensor(max_value):
        span = tf.cast(max_value, tf.float32) - tf.cast(min_value, tf.float32)
        good = tf.reduce_all((span > 0) & (span < arguments.INFINITY))
        low = tf.broadcast_to(tf.cast(min_value, tf.float32), tf.shape(span))
        return arguments.when(good, "min_value is not below max_value", low)
    with np.errstate(over="ignore"):
        span = np.float32(max_value) - np.float32(min_value)
    good = 0 < span < arguments.INFINITY
    require(good, f"min_value {min_value} is not below max_value {max_value} in float32")
    return min_value


def _or_values(make: Callable[..., QTransform]) -> Callable[..., Any]:
    """`make`, which called with a tree and node indices gives the values there, as in mctx."""

    @functools.wraps(make)
    def either(*args, **kwargs):
        if args and isinstance(args[0], SearchTree):
            return make(*args[2:], **kwargs)(*args[:2])
        return make(*args, **kwargs)

    either.makes_qtransform = True
    return either


def _checked(**numbers: Any) -> dict[str, Number]:
    return {name: arguments.known(name, value, RANGES[name]) for name, value in numbers.items()}


@_or_values
def qtransform_by_parent_and_siblings(epsilon: Number = 1e-8) -> QTransform:
    """Scales by the least and greatest of the node's value and its visited Q; unvisited count as
    least.
    """
    return QTransform("parent_and_siblings", **_checked(epsilon=epsilon))


@_or_values
def qtransform_by_min_max(
    min_value: Number, max_value: Number, fpu_reduction: Number | None = None
) -> QTransform:
    """Scales by known bounds; unvisited actions count as `min_value`.

    With `fpu_reduction` (first-play urgency) an unvisited action counts as the node's own value
    less the reduction, within the bounds.
    """
    bounds = _checked(min_value=min_value, max_value=max_value)
    reduction = -1.0
    if fpu_reduction is not None:
        reduction = arguments.known("fpu_reduction", fpu_reduction, arguments.NOT_NEGATIVE)
    bounds["min_value"] = below(**bounds)
    return QTransform("min_max", **bounds, fpu_reduction=reduction)


@_or_values
def qtransform_completed_by_mix_value(
    value_scale: Number = 0.1,
    maxvisit_init: Number = 50.0,
    rescale_values: bool = True,
    use_mixed_value: bool = True,
    epsilon: Number = 1e-8,
) -> QTransform:
    """Completed Q-values of Gumbel MuZero (Danihelka et al. 2022, appendix D, equation 33).

    Unvisited actions take the raw value mixed with the visited Q; the whole is scaled to [0, 1] and
    by (maxvisit_init + most visits) · value_scale.
    """
    numbers = dict(value_scale=value_scale, maxvisit_init=maxvisit_init, epsilon=epsilon)
    return QTransform(
        "completed_by_mix_value",
        rescale_values=arguments.flag("rescale_values", rescale_values),
        use_mixed_value=arguments.flag("use_mixed_value", use_mixed_value),
        **_checked(**numbers),
    )


@_or_values
def qtransform_by_tree_min_max() -> QTransform:
    """MuZero's (appendix B): scaled by the least and greatest Q(s, a) that a backup wrote in the
    tree.

    Q itself while the two are equal; 0 for unvisited actions.
    """
    return QTransform("tree_min_max")


def transform(qtransform: QTransform, at: AtNodes, stats: tf.Tensor) -> tf.Tensor:
    """The q-transform at one node a tree, whose statistics are stats [B, 3]: [B, A]."""
    qvalues, visited = at.qvalues, at.edge_visits > 0
    if qtransform.kind == "parent_and_siblings":
        return _by_parent_and_siblings(qtransform, qvalues, visited, at.value)
    if qtransform.kind == "min_max":
        return _by_min_max(qtransform, qvalues, visited, at.value)
    if qtransform.kind == "tree_min_max":
        return _by_tree_min_max(qvalues, visited, stats)
    return _completed_by_mix_value(qtransform, at)


def _by_parent_and_siblings(qtransform, qvalues, visited, value):
    known = tf.where(visited, qvalues, value)
    low = tf.minimum(value, tf.reduce_min(known, axis=-1, keepdims=True))
    high = tf.maximum(value, tf.reduce_max(known, axis=-1, keepdims=True))
    scale = tf.maximum(high - low, column(qtransform.epsilon))
    return tf.where(visited, (qvalues - low) / scale, 0.0)


def _by_min_max(qtransform, qvalues, visited, value):
    low, high = column(qtransform.min_value), column(qtransform.max_value)
    reduction = column(qtransform.fpu_reduction)
    missing = tf.zeros_like(qvalues) + low
    if tf.is_tensor(reduction):
        urgent = tf.clip_by_value(value - reduction, low, high)
        missing = tf.where(reduction >= 0, urgent, missing)
    elif reduction >= 0:
        missing = tf.clip_by_value(value - reduction, low, high)
    span = tf.cast(high, tf.float32) - tf.cast(low, tf.float32)
    return (tf.where(visited, qvalues, missing) - low) / span


def _by_tree_min_max(qvalues, visited, stats):
    low, high = stats[:, t.MIN_QVALUE, None], stats[:, t.MAX_QVALUE, None]
    spread = high > low
    scaled = (qvalues - tf.where(spread, low, 0.0)) / tf.where(spread, high - low, 1.0)
    return tf.where(visited, scaled, 0.0)


def _completed_by_mix_value(qtransform, at):
    visits = at.edge_visits
    value = _mixed_value(at) if qtransform.use_mixed_value else at.raw_value
    completed = tf.where(visits > 0, at.qvalues, value)
    if qtransform.rescale_values:
        low = tf.reduce_min(completed, axis=-1, keepdims=True)
        span = tf.reduce_max(completed, axis=-1, keepdims=True) - low
        completed = (completed - low) / tf.maximum(span, column(qtransform.epsilon))
    most = tf.reduce_max(visits, axis=-1, keepdims=True)
    return (column(qtransform.maxvisit_init) + most) * column(qtransform.value_scale) * completed


def _mixed_value(at):
    visits = at.edge_visits
    weights = tf.where(visits > 0, tf.maximum(at.probs, TINY), 0.0)
    total = tf.reduce_sum(weights, axis=-1, keepdims=True)
    total = tf.where(total > 0, total, 1.0)
    mean = tf.reduce_sum(weights * at.qvalues, axis=-1, keepdims=True) / total
    count = tf.reduce_sum(visits, axis=-1, keepdims=True)
    return (at.raw_value + count * mean) / (count + 1.0)
