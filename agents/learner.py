"""What every agent's learner has in common."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import sonnet as snt
import tensorflow as tf

from agents import replicas
from agents.direct import direct
from ops import loader


class Update(NamedTuple):
    """What came of one update.

    Attributes:
      metrics: scalars by name, or vectors [n] of as many measurements as there were (none: [0]).
      priorities: [B], what the batch's items are to have in a prioritised table; None: as they are.
    """

    metrics: Mapping[str, tf.Tensor]
    priorities: tf.Tensor | None = None


class Perhaps(NamedTuple):
    """A metric that a compiled update measures or not: XLA's shapes do not depend on values.

    Attributes:
      values: [1], or [n] of n updates.
      measured: float32, 1 where there is such a value, else 0.
    """

    values: tf.Tensor
    measured: tf.Tensor


class Learner(tf.Module, abc.ABC):
    """Turns batches into updates of networks.

    The launcher draws the batches, so that data reaches every learner on one road and the time
    spent waiting for it is measured in one place. All state is in variables: saving the module
    saves the learner. Random numbers come from `(seed, number of the update)` alone.

    One that is made in the scope of a `tf.distribute` strategy, with networks made there too, does
    each update on all of its replicas: every one has an equal part of the batch, and all end with
    the weights that one device with the whole batch would have (`replicas`).

    Args:
      networks: that learn, and whatever acts by them.
      seed: of the learner's randomness.
      updates: int32 variable that counts; None: one of the learner's own. Networks whose policy
        depends on the number of updates hold it, so that it is saved and served with them.

    Attributes:
      updates: done so far.
      indivisible: why batches cannot be divided among replicas; None: they can, which whoever says
        so has shown (`tests/agents/updates.py`).
      varying: batches differ in size, so that no compiler sees one twice.
    """

    indivisible: str | None = "its update on several replicas was never compared with one's"
    varying = False

    def __init__(self, networks: snt.Module, seed: int, updates: tf.Variable | None = None) -> None:
        super().__init__(name="learner")
        self.networks = networks
        self._seed = seed
        if updates is None:
            updates = tf.Variable(0, dtype=tf.int32, trainable=False, name="updates")
        self.updates = updates
        self._strategy = tf.distribute.get_strategy() if tf.distribute.has_strategy() else None
        self._make_functions(compiled=False)

    def compile(self) -> None:
        """Lets XLA compile the updates, for the device that they run on."""
        self._make_functions(compiled=True)

    def check_batch(self, size: int) -> None:
        """Raises ValueError where nothing can be learned from batches of B = `size`."""

    def feed(self, dataset: tf.data.Dataset) -> Any:
        """A dataset's batches where they are learned from, the next one already on its way there.

        On several replicas each has its equal part. `step` and `steps` take them as any others.

        Raises:
          replicas.Misfit: a batch does not divide among the replicas.
        """
        if self._strategy is None:
            if not loader.has_gpu():
                return dataset
            return dataset.apply(tf.data.experimental.prefetch_to_device("/gpu:0", 1))
        count = self._strategy.num_replicas_in_sync
        for spec in tf.nest.flatten(dataset.element_spec):
            replicas.check_divides(spec.shape[0], count)
        parts = lambda x: tf.reshape(x, [count, x.shape[0] // count, *x.shape[1:]])  # noqa: E731
        in_turn = dataset.map(lambda batch: tf.nest.map_structure(parts, batch)).unbatch()
        return self._strategy.distribute_datasets_from_function(lambda _: in_turn)

    def whole(self, values: Any) -> tf.Tensor:
        """What `feed` has divided, in one piece again: values [B, …] of a batch."""
        if self._strategy is None:
            return values
        return tf.concat(self._strategy.experimental_local_results(values), axis=0)

    def step(self, batch: Any) -> Update:
        """Does one update on a batch of the agent's dataset, and counts it.

        Raises:
          replicas.Misfit: the batch does not divide among the replicas.
        """
        return _told(self._direct(self._placed([batch])[0]))

    def steps(self, batches: Sequence[Any]) -> Update:
        """Does an update on each of some batches of equal shapes in one call, as if one by one.

        Returns:
          metrics of all updates, vectors of as many measurements as there were, and priorities of
          all items, batch by batch [n · B].

        Raises:
          replicas.Misfit: the batches do not divide among the replicas.
        """
        return _told(self._several(self._placed(batches)))

    def divide(self, batch: Any, parts: int) -> list[Any]:
        """A batch [B, …] in so many equal parts."""
        replicas.check_divides(int(tf.nest.flatten(batch)[0].shape[0]), parts)
        divided = [tf.split(leaf, parts) for leaf in tf.nest.flatten(batch)]
        return [tf.nest.pack_sequence_as(batch, part) for part in zip(*divided, strict=True)]

    def _make_functions(self, compiled: bool) -> None:
        everywhere = lambda f, **options: tf.function(  # noqa: E731
            lambda batch: self._everywhere(f, batch),
            autograph=False,
            jit_compile=compiled or None,
            **options,
        )
        self._one = everywhere(self._update_and_count, reduce_retracing=True)
        self._direct = direct(self._one)
        self._several = everywhere(lambda batches: self._loop(_stacked(batches)))

    def _placed(self, batches: Sequence[Any]) -> tuple[Any, ...]:
        """Batches where they are learned from: a part on each replica's device."""
        leaves = tf.nest.flatten(batches)
        fed = any(isinstance(leaf, tf.distribute.DistributedValues) for leaf in leaves)
        if self._strategy is None or fed:
            return tuple(batches)
        divided = [self.divide(each, self._strategy.num_replicas_in_sync) for each in batches]
        return tuple(
            self._strategy.experimental_distribute_values_from_function(
                lambda context, parts=parts: parts[context.replica_id_in_sync_group]
            )
            for parts in divided
        )

    def _everywhere(self, function: Callable[[Any], Update], batch: Any) -> Update:
        """What it returns in every replica, which is the same in all of them."""
        if self._strategy is None:
            return function(batch)
        found = self._strategy.run(function, args=(batch,))
        first = lambda value: self._strategy.experimental_local_results(value)[0]  # noqa: E731
        return tf.nest.map_structure(first, found)

    def _loop(self, batches: Any) -> Update:
        """Updates on batches [n, B, …], one after the other."""
        size = tf.nest.flatten(batches)[0].shape[0]
        update = tf.function(self._update_and_count, autograph=False)  # Traced once.
        specs = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape[1:], x.dtype), batches)
        like = update.get_concrete_function(specs).structured_outputs
        one = self._update_and_count if loader.compiling() else update
        measured = [leaf for leaf in tf.nest.flatten(like) if leaf is not None]
        shapes = [leaf.shape if leaf.shape.rank else [1] for leaf in measured]
        arrays = [
            tf.TensorArray(leaf.dtype, size, element_shape=shape, infer_shape=False)
            for leaf, shape in zip(measured, shapes, strict=True)
        ]

        def body(i: tf.Tensor, arrays: Sequence[tf.TensorArray]) -> tuple[tf.Tensor, list[Any]]:
            made = one(tf.nest.map_structure(lambda values: values[i], batches))
            values = [leaf for leaf in tf.nest.flatten(made) if leaf is not None]
            vectors = [value if value.shape.rank else value[None] for value in values]
            return i + 1, [a.write(i, v) for a, v in zip(arrays, vectors, strict=True)]

        start = (tf.constant(0), arrays)
        _, arrays = tf.while_loop(lambda i, _: i < size, body, start, parallel_iterations=1)
        found = iter([array.concat() for array in arrays])
        return tf.nest.map_structure(lambda leaf: None if leaf is None else next(found), like)

    def _update_and_count(self, batch: Any) -> Update:
        count = self.updates.read_value()
        update = self._in_replica(batch, tf.stack([tf.constant(self._seed, tf.int32), count]))
        made = [values for values in tf.nest.flatten(update) if values is not None]
        with tf.control_dependencies(made):
            self.updates.assign(count + 1)
        return update

    def _in_replica(self, batch: Any, seed: tf.Tensor) -> Update:
        """The update, told of in the same words as if the batch were whole."""
        update = self.update(batch, seed)
        priorities = update.priorities
        if priorities is not None:
            priorities = replicas.gathered(priorities)
        return Update(replicas.mean(update.metrics), priorities)

    @abc.abstractmethod
    def update(self, batch: Any, seed: tf.Tensor) -> Update:
        """The update itself, in TensorFlow's ops alone; `seed` is int32 [2].

        It runs as it is in a replica of a distribution strategy, or under XLA. A metric's mean over
        all replicas is what the whole batch says.
        """

    def flop(self, batch: Any) -> int:
        """Floating-point operations of an update's products, as TensorFlow counts them."""
        return products_of(self._one.get_concrete_function(batch))

    def get_variables(self, names: Sequence[str] = ()) -> list[list[np.ndarray]]:
        """Values of the networks' variables (Acme's `VariableSource`).

        Args:
          names: attributes of the networks, such as `acting`, a list of values each; none: all
            variables, in one list.

        Raises:
          ValueError: the networks have no such part.
        """
        parts = [self._part(name) for name in names] or [self.networks]
        return [[variable.numpy() for variable in part.variables] for part in parts]

    def _part(self, name: str) -> tf.Module:
        part = getattr(self.networks, name, None)
        if not isinstance(part, tf.Module):
            there = [key for key, value in vars(self.networks).items() if _is_public(key, value)]
            listed = ", ".join(sorted(there)) or "no parts"
            raise ValueError(f"the networks have no part '{name}'; they have {listed}")
        return part


def products_of(function: Any) -> int:
    """Floating-point operations of a concrete function's products, as TensorFlow counts them."""
    return _flop(function.graph)


def measured_if(
    condition: tf.Tensor, names: Sequence[str], measure: Callable[[], Mapping[str, tf.Tensor]]
) -> dict[str, tf.Tensor]:
    """Metrics [1] of those names where the condition holds, else [0], not measured.

    Under XLA all are measured, `Perhaps` for nothing.
    """
    if loader.compiling():
        is_told = tf.cast(condition, tf.float32)
        return {name: Perhaps(value[None], is_told) for name, value in measure().items()}
    return tf.cond(
        condition,
        lambda: {name: value[None] for name, value in measure().items()},
        lambda: {name: tf.zeros([0]) for name in names},
    )


def _told(update: Update) -> Update:
    """An update without what it has not measured."""

    def told(value: tf.Tensor | Perhaps) -> tf.Tensor:
        if not isinstance(value, Perhaps):
            return value
        return tf.boolean_mask(value.values, tf.reshape(value.measured, [-1]) > 0)

    return update._replace(metrics={k: told(v) for k, v in update.metrics.items()})


def _flop(graph: Any) -> int:
    """Of a graph and of all functions that it calls, each as often as it is called."""
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    total = tf.compat.v1.profiler.profile(graph, options=options).total_float_ops
    for op in graph.get_operations():
        if op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            total += _flop(graph._get_function(op.get_attr("f").name).graph)
    return total


def _stacked(batches: Sequence[Any]) -> Any:
    return tf.nest.map_structure(lambda *leaves: tf.stack(leaves), *batches)


def _is_public(name: str, value: Any) -> bool:
    return isinstance(value, tf.Module) and not name.startswith("_")
