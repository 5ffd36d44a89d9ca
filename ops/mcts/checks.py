"""Refuses what would otherwise end as NaN in a tree; each message names the argument."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from ops.mcts import tree as t
from ops.mcts.errors import require
from ops.mcts.tree import SearchTree
from ops.mcts.types import RecurrentFnOutput, RootFnOutput

# What a kernel finds wrong, from 1: the enumeration Fault of cc/kernels/tree.h.
FAULTS = (
    *("parent", "action", "reward", "discount", "prior_logits", "value", "leaf"),
    *("nodes is full", "no legal action", "broken tree"),
)


def search_arguments(num_simulations: int, max_depth: int | None) -> None:
    """Both are Python numbers of at least 1; a tree holds fewer than 2^24 nodes."""
    require(
        1 <= num_simulations < t.MAX_NODES,
        f"num_simulations is {num_simulations}, expected 1 to {t.MAX_NODES - 1}",
    )
    require(
        max_depth is None or max_depth >= 1,
        f"max_depth is {max_depth}, expected None or at least 1",
    )


def simulations_to_run(simulations: tf.Tensor | int | None, room: int) -> tf.Tensor | int:
    """`simulations`, an int32 scalar of 1 to `room`; `room` if None.

    What XLA compiles has no checks, so there it is brought into range.
    """
    if simulations is None:
        return room
    simulations = tf.convert_to_tensor(simulations)
    require(
        simulations.dtype.is_integer and simulations.shape.rank == 0,
        f"simulations is {simulations.dtype.name} {simulations.shape}, expected an integer scalar",
    )
    message = f"simulations is not 1 to {room}"
    check = tf.debugging.Assert((simulations >= 1) & (simulations <= room), [message, simulations])
    with tf.control_dependencies([check] if check is not None else []):
        return tf.clip_by_value(tf.cast(simulations, tf.int32), 1, room)


def tensor_of(name: str, value: tf.Tensor, like: tf.TensorShape) -> tf.Tensor:
    """`value` as float32 of a shape compatible with `like`."""
    try:
        value = tf.convert_to_tensor(value, tf.float32)
    except (TypeError, ValueError) as error:
        require(False, f"{name} is not a float32 tensor: {error}")
    require(value.shape.is_compatible_with(like), f"{name} has shape {value.shape}, not {like}")
    return value


def root_of_model(root: RootFnOutput) -> RootFnOutput:
    """The root with float32 fields of the right shapes, finite, with a legal action in each row."""
    logits = tensor_of("root.prior_logits", root.prior_logits, tf.TensorShape([None, None]))
    value = tensor_of("root.value", root.value, logits.shape[:1])
    require(logits.shape[1] is not None, "root.prior_logits must have a static number of actions")
    require(logits.shape[1] >= 1, "root.prior_logits has no actions")
    require(
        logits.shape[1] <= t.MAX_ACTIONS,
        f"root.prior_logits has {logits.shape[1]} actions, expected 1 to {t.MAX_ACTIONS}",
    )
    require(0 not in logits.shape, "root.prior_logits has an empty batch")
    for leaf in tf.nest.flatten(root.embedding):
        shape = tf.convert_to_tensor(leaf).shape
        matches = shape.rank is None or (
            shape.rank >= 1 and shape[:1].is_compatible_with(logits.shape[:1])
        )
        require(matches, f"root.embedding has shape {shape}, expected [B, ...] as {value.shape}")
    logits = _ensured("root.prior_logits", logits, _are_logits(logits))
    logits = _with_legal("root.prior_logits", logits)
    value = _ensured("root.value", value, tf.math.is_finite(value))
    return RootFnOutput(logits, value, root.embedding)


def legal_root(logits: tf.Tensor) -> tf.Tensor:
    """`logits` [B, A] if each row has an action that is not masked."""
    return _with_legal("invalid_actions", logits)


def _with_legal(name: str, logits: tf.Tensor) -> tf.Tensor:
    legal = tf.reduce_any(logits > t.LOWEST_LOGIT, axis=-1)
    return _ensured(f"{name} (a root has no legal action)", logits, legal)


def step_of_model(step: RecurrentFnOutput, tree: SearchTree) -> RecurrentFnOutput:
    """The model's answer with float32 fields of the tree's batch and actions."""
    batch = tree.nodes.shape[:1]
    logits = batch.concatenate(tree.edges.shape[3:])
    return RecurrentFnOutput(
        reward=tensor_of("reward", step.reward, batch),
        discount=tensor_of("discount", step.discount, batch),
        prior_logits=tensor_of("prior_logits", step.prior_logits, logits),
        value=tensor_of("value", step.value, batch),
    )


def finite_step(step: RecurrentFnOutput) -> RecurrentFnOutput:
    """The model's answer if it holds no NaN or infinity; a logit may be -inf."""
    return RecurrentFnOutput(
        reward=_ensured("reward", step.reward, tf.math.is_finite(step.reward)),
        discount=_ensured("discount", step.discount, tf.math.is_finite(step.discount)),
        prior_logits=_ensured("prior_logits", step.prior_logits, _are_logits(step.prior_logits)),
        value=_ensured("value", step.value, tf.math.is_finite(step.value)),
    )


def stochastic_step(said: NamedTuple, batch: tf.TensorShape, width: int) -> NamedTuple:
    """A stochastic model's answer with float32 fields: logits [B, width], the others [B]."""
    logits = batch.concatenate([width])
    shapes = {name: logits if name.endswith("logits") else batch for name in said._fields}
    fields = said._asdict().items()
    return type(said)(**{name: tensor_of(name, value, shapes[name]) for name, value in fields})


def finite_answers(said: NamedTuple, asked: tf.Tensor) -> NamedTuple:
    """A stochastic model's answer if its rows `asked`, bool [B], are as in `finite_step`."""

    def checked(name, value):
        logits = name.endswith("logits")
        good = _are_logits(value) | ~asked[:, None] if logits else tf.math.is_finite(value) | ~asked
        return _ensured(name, value, good)

    return type(said)(**{name: checked(name, value) for name, value in said._asdict().items()})


def room(tree: SearchTree, num_simulations: int) -> SearchTree:
    """The tree if each of the batch has room for `num_simulations` more nodes."""
    free = tf.cast(tree.num_nodes, tf.float32) - tree.stats[:, t.NEXT_NODE]
    message = f"search_tree has no room for {num_simulations} more nodes"
    check = tf.debugging.Assert(tf.reduce_all(free >= num_simulations), [message])
    with tf.control_dependencies([check] if check is not None else []):
        return tree._replace(stats=tf.identity(tree.stats))


def without_fault(tree: SearchTree) -> SearchTree:
    """The tree unless a kernel on a GPU met a fault, which it leaves in the tree."""
    numbers = ", ".join(f"-{number} {name}" for number, name in enumerate(FAULTS, 1))
    message = f"next nodes are negative where a tree has a fault ({numbers})"
    next_node = tree.stats[:, t.NEXT_NODE]
    check = tf.debugging.Assert(tf.reduce_all(next_node >= 0), [message, next_node])
    with tf.control_dependencies([check] if check is not None else []):
        return tree._replace(stats=tf.identity(tree.stats))


def _are_logits(logits: tf.Tensor) -> tf.Tensor:
    return logits < float("inf")  # false for NaN


def _ensured(name: str, value: tf.Tensor, good: tf.Tensor) -> tf.Tensor:
    """`value` if `good` holds everywhere; XLA drops the check.

    The value is not shown: around an Assert of floats TensorFlow builds a conditional, which takes
    longer than all that a search does before its first simulation.
    """
    check = tf.debugging.Assert(tf.reduce_all(good), [f"{name} is not valid"])
    with tf.control_dependencies([check] if check is not None else []):
        return tf.identity(value)
