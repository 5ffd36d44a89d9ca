"""What an update asks of its replicas, each of which has an equal part of the batch.

An update is written once, for one device, and is right on several because of what it names here:

    mean, total      what a loss or a statistic takes over the whole batch
    drawn, sampled   random numbers, and what is drawn given values: the whole batch's, of which
                     each replica has its part
    share, gathered  rows of what all replicas hold alike; all rows of what each holds a part of

A loss is the mean of the replicas' own, and so is its gradient (`optimizers.gradient`): a mean over
rows needs nothing here, and a ratio of two sums needs `mean` around the lower one. Outside of a
replica, and where one is alone, each of these gives back what it is given.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import tensorflow as tf

T = TypeVar("T")


class Misfit(ValueError):
    """What cannot be divided among the replicas there are."""


def count() -> int:
    """Replicas that do this update together."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def total(values: T) -> T:
    """The sum over all replicas of each tensor of a nest; differentiable."""
    return values if count() == 1 else _map_numbers(_total, values)


def mean(values: T) -> T:
    """The mean over all replicas of each tensor of a nest; differentiable."""
    if (n := count()) == 1:
        return values
    divide = lambda x: x / n if x.dtype.is_floating else x // n  # noqa: E731
    return tf.nest.map_structure(divide, total(values))


def share(values: tf.Tensor, axis: int = 0) -> tf.Tensor:
    """A replica's own part, along an axis, of what all of them hold alike.

    Raises:
      Misfit: parts would differ in size.
    """
    if (n := count()) == 1:
        return values
    size = values.shape[axis]
    if size is not None:
        check_divides(size, n)
    part = (tf.shape(values)[axis] if size is None else size) // n
    return tf.gather(values, _index() * part + tf.range(part), axis=axis)


def gathered(values: T) -> T:
    """What the replicas hold parts [B / n, …] of, whole [B, …]: each tensor of a nest."""
    if (n := count()) == 1:
        return values
    mine = tf.range(n) == _index()

    def placed(part: tf.Tensor) -> tf.Tensor:
        part = tf.cast(part, tf.int32) if part.dtype == tf.bool else part
        place = tf.reshape(mine, [n] + [1] * part.shape.rank)
        return tf.where(place, part[None], tf.zeros_like(part)[None])

    def whole(parts: tf.Tensor, like: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.reshape(parts, [-1, *like.shape[1:]]), like.dtype)

    parts = total(tf.nest.map_structure(placed, values))
    return tf.nest.map_structure(whole, parts, values)


def drawn(
    draw: Callable[[Sequence[Any]], tf.Tensor], shape: Sequence[Any], axis: int = 0
) -> tf.Tensor:
    """A replica's own part, of that shape, of what `draw` gives in the whole batch's.

    So that what is drawn for an item does not depend on how many replicas there are.
    """
    whole = [size * count() if i == axis else size for i, size in enumerate(shape)]
    return share(draw(whole), axis)


def sampled(sample: Callable[[T], tf.Tensor], values: T) -> tf.Tensor:
    """A replica's own part of what `sample` draws for the whole batch's values [B, …]."""
    return share(sample(gathered(values)))


def check_divides(size: int, parts: int) -> None:
    """Raises Misfit where so many items are not so many equal parts."""
    if size % parts:
        raise Misfit(
            f"{size} items do not divide among {parts} replicas; expected a multiple of {parts}"
        )


def _index() -> Any:
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def _map_numbers(function: Callable[[list[tf.Tensor]], list[tf.Tensor]], values: Any) -> Any:
    """Applies it to all tensors of a nest that have one type, type by type."""
    flat = [tf.convert_to_tensor(value) for value in tf.nest.flatten(values)]
    found: list[Any] = [None] * len(flat)
    for dtype in dict.fromkeys(value.dtype for value in flat):
        places = [i for i, value in enumerate(flat) if value.dtype == dtype]
        for i, value in zip(places, function([flat[i] for i in places]), strict=True):
            found[i] = value
    return tf.nest.pack_sequence_as(values, found)


def _total(values: list[tf.Tensor]) -> list[tf.Tensor]:
    if not values[0].dtype.is_floating:
        return _reduced(values)

    @tf.custom_gradient
    def differentiable(*tensors: tf.Tensor) -> Any:
        return _reduced(tensors), lambda *gradients: _reduced(gradients)

    return tf.nest.flatten(differentiable(*values))


def _reduced(values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Sums of tensors of one type, all in one message."""
    flat = tf.concat([tf.reshape(value, [-1]) for value in values], axis=0)
    parts = tf.split(_all_reduce(flat), [_size(value) for value in values], num=len(values))
    return [
        tf.ensure_shape(tf.reshape(part, tf.shape(value)), value.shape)
        for part, value in zip(parts, values, strict=True)
    ]


def _size(value: tf.Tensor) -> Any:
    return value.shape.num_elements() if value.shape.is_fully_defined() else tf.size(value)


def _all_reduce(value: tf.Tensor) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    try:
        return context.all_reduce(tf.distribute.ReduceOp.SUM, value)
    except RuntimeError:
        # A mirrored strategy calls all replicas together while they are traced, which neither a
        # loop nor a tf.function allows.
        if not isinstance(context.strategy, tf.distribute.MirroredStrategy):
            raise
    replica = int(tf.get_static_value(context.replica_id_in_sync_group))
    return _Exchange.of(context.strategy, value.dtype).total(value, replica)


class _Exchange:
    """Passes tensors of one type from every replica to every other, on the host.

    All say the same things in the same order, which TensorFlow keeps for whoever holds one end of
    a queue; loops with anything of this in them go one step at a time.
    """

    def __init__(self, size: int, dtype: tf.DType) -> None:
        name, self._dtype = f"replicas/{next(_NUMBERS)}", dtype

        def queue(sender: int, receiver: int) -> tf.Tensor:
            shared_name = f"{name}/{sender}/{receiver}"
            options = {"component_types": [dtype], "capacity": 1, "shared_name": shared_name}
            return tf.raw_ops.FIFOQueueV2(shapes=[], **options)

        others = lambda own: [i for i in range(size) if i != own]  # noqa: E731
        # Two handles of one queue: with one alone, those who hold it would wait for each other.
        with tf.init_scope(), tf.device("CPU:0"):
            self._into = [{i: queue(own, i) for i in others(own)} for own in range(size)]
            self._out_of = [{i: queue(i, own) for i in others(own)} for own in range(size)]

    @classmethod
    def of(cls, strategy: tf.distribute.Strategy, dtype: tf.DType) -> _Exchange:
        """The strategy's."""
        made = _EXCHANGES.setdefault(strategy, {})
        if dtype not in made:
            made[dtype] = cls(strategy.num_replicas_in_sync, dtype)
        return made[dtype]

    def total(self, value: tf.Tensor, replica: int) -> tf.Tensor:
        """The sum of what all replicas give, in the same order for each."""
        told, heard = [], {replica: value}
        with tf.device("CPU:0"):
            for queue in self._into[replica].values():
                told.append(
                    tf.raw_ops.QueueEnqueueV2(handle=queue, components=[value], timeout_ms=-1)
                )
            with tf.control_dependencies(told):
                for i, queue in self._out_of[replica].items():
                    (each,) = tf.raw_ops.QueueDequeueV2(
                        handle=queue, component_types=[self._dtype], timeout_ms=-1
                    )
                    heard[i] = tf.ensure_shape(each, value.shape)
        return tf.add_n([heard[i] for i in sorted(heard)])


_EXCHANGES: weakref.WeakKeyDictionary[Any, dict[tf.DType, _Exchange]] = weakref.WeakKeyDictionary()
_NUMBERS = itertools.count()
