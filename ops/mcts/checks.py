"""Refuses what would otherwise end as NaN in a tree; each message names the argument."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from ops.mcts import arguments
from ops.mcts import tree as t
from ops.mcts.arguments import INFINITY
from ops.mcts.errors import require
from ops.mcts.tree import SearchTree
from ops.mcts.types import RecurrentFnOutput, RootFnOutput

# What a kernel finds wrong, from 1: the enumeration Fault of cc/kernels/tree.h.
FAULTS = (
    *("parent", "action", "reward", "discount", "prior_logits", "value", "leaf"),
    *("nodes is full", "no legal action", "broken tree"),
)


def room_for(num_simulations: int, least: int = 0) -> int:
    """`num_simulations` as a Python integer: a tree holds at most 2^24 nodes."""
    return arguments.integer("num_simulations", num_simulations, least, t.MAX_NODES - 1)


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
    """`value`, integers or floats of any width, as float32 of a shape compatible with `like`."""
    value = arguments.converted(name, value)
    number = value.dtype.is_floating or value.dtype.is_integer
    require(number, f"{name} is {value.dtype.name}, expected float32")
    require(value.shape.is_compatible_with(like), f"{name} has shape {value.shape}, not {like}")
    return tf.cast(value, tf.float32)


def noise(name: str, given: tf.Tensor, logits: tf.Tensor, least: float = -INFINITY) -> tf.Tensor:
    """Noise [B, A] that a caller drew: finite numbers of at least `least`."""
    given = tensor_of(name, given, logits.shape)
    return _ensured(name, given, tf.math.is_finite(given) & (given >= least))


def mask_of(invalid_actions: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """`invalid_actions`, truths or numbers [B, A], as bool."""
    name = "invalid_actions"
    mask = arguments.converted(name, invalid_actions)
    if mask.dtype != tf.bool:
        return tensor_of(name, mask, shape) != 0
    require(mask.shape.is_compatible_with(shape), f"{name} has shape {mask.shape}, not {shape}")
    return mask


def root_of_model(root: RootFnOutput) -> RootFnOutput:
    """The root with float32 fields of the right shapes, finite, with a legal action in each row."""
    logits = tensor_of("root.prior_logits", root.prior_logits, tf.TensorShape([None, None]))
    value = tensor_of("root.value", root.value, logits.shape[:1])
    require(logits.shape[1] is not None, "root.prior_logits must have a static number of actions")
    _fits("root.prior_logits", "trees", logits.shape[0], None)
    _fits("root.prior_logits", "actions", logits.shape[1], t.MAX_ACTIONS)
    for leaf in tf.nest.flatten(root.embedding):
        shape = arguments.converted("root.embedding", leaf).shape
        matches = shape.rank is None or (
            shape.rank >= 1 and shape[:1].is_compatible_with(logits.shape[:1])
        )
        require(matches, f"root.embedding has shape {shape}, expected [B, ...] as {value.shape}")
    logits = _ensured("root.prior_logits", logits, _are_logits(logits))
    logits = with_legal("root.prior_logits", logits)
    value = _ensured("root.value", value, tf.math.is_finite(value))
    return RootFnOutput(logits, value, root.embedding)


def search_tree(tree: SearchTree) -> SearchTree:
    """A caller's tree as tensors whose types and shapes belong together.

    Below a chance node another player, or none, is to move: its tree has no root to go on from.
    """
    kind = type(tree).__name__
    require(isinstance(tree, SearchTree), f"search_tree is a {kind}, expected a SearchTree")
    try:
        parts = [tf.convert_to_tensor(part) for part in (tree.nodes, tree.edges, tree.stats)]
        embeddings = tf.nest.map_structure(tf.convert_to_tensor, tree.embeddings)
    except (AttributeError, TypeError, ValueError) as error:
        require(False, f"search_tree is not a SearchTree: {arguments.first_line(error)}")
    nodes, edges = parts[0].shape, parts[1].shape
    batch, room = nodes[:2] if nodes.rank == 3 else (None, None)
    num_actions = edges[3] if edges.rank == 4 else None
    _is("nodes", parts[0], [batch, room, t.NODE_FIELDS])
    _is("edges", parts[1], [batch, room, t.EDGE_ROWS, num_actions])
    _is("stats", parts[2], [batch, 3])
    for leaf in tf.nest.flatten(embeddings):
        good = leaf.shape.rank is None or nodes[:2].is_compatible_with(leaf.shape[:2])
        require(good, f"search_tree.embeddings has shape {leaf.shape}, expected {nodes[:2]} and on")
    _fits("search_tree.nodes", "trees", batch, None)
    _fits("search_tree.nodes", "nodes", room, t.MAX_NODES)
    _fits("search_tree.edges", "actions", num_actions, t.MAX_ACTIONS)
    return SearchTree(*parts, embeddings)


def _is(name: str, tensor: tf.Tensor, shape: list[int | None]) -> None:
    dtype = tensor.dtype.name
    require(dtype == "float32", f"search_tree.{name} is {dtype}, expected float32")
    wanted = tf.TensorShape(shape)
    good = tensor.shape.is_compatible_with(wanted)
    require(good, f"search_tree.{name} has shape {tensor.shape}, expected {wanted}")


def _fits(name: str, what: str, count: int | None, most: int | None) -> None:
    """Refuses a static size of 0 or above `most`."""
    good = count is None or (count >= 1 and (most is None or count <= most))
    expected = "at least 1" if most is None else f"1 to {most}"
    require(good, f"{name} has {count} {what}, expected {expected}")


def with_legal(name: str, logits: tf.Tensor) -> tf.Tensor:
    """`logits` [B, A] if each row has an action that is not masked; `name` is what masks them."""
    legal = tf.reduce_any(logits > t.LOWEST_LOGIT, axis=-1)
    return _ensured(f"{name} (a root has no legal action)", logits, legal)


def actions_of(name: str, actions: tf.Tensor, tree: SearchTree) -> tf.Tensor:
    """Integers of any width, one a tree, as int32 [B]; their range is not looked at."""
    actions = arguments.converted(name, actions)
    require(actions.dtype.is_integer, f"{name} is {actions.dtype.name}, expected int32")
    size = tree.nodes.shape[:1]
    good = actions.shape.is_compatible_with(size)
    require(good, f"{name} has shape {actions.shape}, not {size}")
    return tf.cast(tf.clip_by_value(actions, -1, t.MAX_ACTIONS), tf.int32)


def own_qvalues(values: tf.Tensor, legal: tf.Tensor) -> tf.Tensor:
    """What a caller's q-transform gave at one node a tree: [B, A], finite where legal."""
    values = tensor_of("qtransform(tree, node_index)", values, legal.shape)
    good = tf.math.is_finite(values) | ~legal
    values = _ensured("qtransform(tree, node_index)", values, good)
    return tf.where(legal, values, 0.0)


def step_of_model(step: RecurrentFnOutput, tree: SearchTree) -> RecurrentFnOutput:
    """The model's answer with float32 fields of the tree's batch and actions."""
    batch = tree.nodes.shape[:1]
    logits = batch.concatenate(tree.edges.shape[3:])
    good = all(hasattr(step, field) for field in RecurrentFnOutput._fields)
    require(good, f"recurrent_fn gave a {type(step).__name__}, expected a RecurrentFnOutput")
    return RecurrentFnOutput(
        reward=tensor_of("reward", step.reward, batch),
        discount=tensor_of("discount", step.discount, batch),
        prior_logits=tensor_of("prior_logits", step.prior_logits, logits),
        value=tensor_of("value", step.value, batch),
    )


def embedding_of_model(embedding: Any, tree: SearchTree) -> Any:
    """The model's embedding, with as many parts as the root's and of their types and shapes."""
    given, kept = tf.nest.flatten(embedding), tf.nest.flatten(tree.embeddings)
    same = len(given) == len(kept)
    require(same, f"recurrent_fn's embedding has {len(given)} parts, root.embedding {len(kept)}")
    rows = [_like_row(part, whole) for part, whole in zip(given, kept, strict=True)]
    return tf.nest.pack_sequence_as(tree.embeddings, rows)


def _like_row(part: Any, whole: tf.Tensor) -> tf.Tensor:
    """The model's part for one node a tree, given that of all nodes."""
    part = arguments.converted("recurrent_fn's embedding", part)
    row = whole.shape[:1].concatenate(whole.shape[2:])
    name, wanted = (
        f"{dtype.name} {shape}" for dtype, shape in ((part.dtype, part.shape), (whole.dtype, row))
    )
    good = part.dtype == whole.dtype and part.shape.is_compatible_with(row)
    require(good, f"recurrent_fn's embedding is {name}, root.embedding {wanted}")
    return part


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
    return logits < INFINITY  # false for NaN


def _ensured(name: str, value: tf.Tensor, good: tf.Tensor) -> tf.Tensor:
    """`value` if `good` holds everywhere; XLA drops the check."""
    return arguments.when(tf.reduce_all(good), f"{name} is not valid", value)
