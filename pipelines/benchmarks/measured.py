"""What benchmarks share: who is measured, what is shown to it, and how long it takes."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tree
from acme import specs

from agents.builder import Builder, Stage
from agents.types import Sample
from pipelines.configuration import experiment, gin_files
from pipelines.environments import BatchedEnvironment, make_environment_spec
from pipelines.launch.parts import Parts

Result = dict[str, Any]

# Rows of a whole table that learners read, and items of one whose size they ask for.
TABLE_ROWS = 2001


class Settings(NamedTuple):
    """What the command line says.

    Attributes:
      agent: gin/<agent>.gin is measured.
      size: of which `cem` plans are made.
      backend: of planning ops.
      shapes: of tree searches.
      batch: B.
      repeats: behind each figure.
      bindings: over the agent's file.
      clients: of a server.
    """

    agent: str
    size: str
    backend: str
    shapes: str | None
    batch: int
    repeats: int
    bindings: Sequence[str]
    clients: int = 32


class Subject(NamedTuple):
    """Who is measured.

    Attributes:
      num_environments: that the agent's file collects in, whatever the benchmark does.
    """

    builder: Builder
    parts: Parts
    environment: BatchedEnvironment
    spec: specs.EnvironmentSpec
    num_environments: int

    @property
    def stage(self) -> Stage:
        """The last stage: what the agent does in the long run."""
        return self.parts.stages[-1]


def subject(agent: str, bindings: Sequence[str], batch: int = 1) -> Subject:
    """The agent of a gin file, with that many environments.

    Where no file has that name alone, it is <agent>_small's, <agent>_cartpole_small's or
    <agent>_atari's, the first that is there.
    """
    described = experiment.parse([_gin_file(agent)], bindings)
    parts = Parts(described, seed=0)
    environment = parts.environments(range(batch))
    spec, count = make_environment_spec(environment), described.num_environments
    return Subject(described.builder, parts, environment, spec, count)


def _gin_file(agent: str) -> str:
    names = (agent, f"{agent}_small", f"{agent}_cartpole_small", f"{agent}_atari")
    paths = [f"gin/{name}.gin" for name in names]
    return next(filter(gin_files.is_there, paths), paths[0])


def batch_specs(stage: Stage, spec: specs.EnvironmentSpec, num_environments: int) -> Any:
    """What a batch is, as the learner reads it.

    A whole table has an item of each environment where they have one length, else so many rows.
    """
    options = stage.dataset_options

    def batched(array: tf.TensorSpec) -> tf.TensorSpec:
        shape = [options.batch_size or num_environments, *array.shape]
        if None in array.shape:
            shape = [TABLE_ROWS, *array.shape[1:]]
        return tf.TensorSpec(shape, array.dtype)

    tables = {table.name: table for table in stage.make_tables(spec)}
    signature = tables[options.table].info.signature
    items = options.sample_type(**tree.map_structure(batched, signature)._asdict())
    if not options.prioritized:
        return items
    of = lambda dtype: tf.TensorSpec([options.batch_size], dtype)  # noqa: E731
    return Sample(of(tf.uint64), of(tf.float64), of(tf.int64), items)


def random_batch(stage: Stage, spec: specs.EnvironmentSpec, num_environments: int) -> Any:
    """A batch of those specs: pixels at random, other integers 0, truths do not hold."""
    rng = np.random.default_rng(0)

    def draw(array: tf.TensorSpec) -> tf.Tensor:
        if array.dtype == tf.uint8 and array.shape.rank > 3:  # Not a game's packed positions.
            return tf.constant(rng.integers(0, 256, array.shape), tf.uint8)
        if array.dtype.is_floating:
            return tf.constant(rng.standard_normal(array.shape), array.dtype)
        return tf.zeros(array.shape, array.dtype)

    batch = batch_specs(stage, spec, num_environments)
    if not isinstance(batch, Sample):
        return tree.map_structure(draw, batch)
    size = batch.key.shape[0]
    return Sample(
        tf.cast(tf.range(size), tf.uint64),
        tf.fill([size], tf.constant(1 / TABLE_ROWS, tf.float64)),
        tf.fill([size], tf.constant(TABLE_ROWS, tf.int64)),
        tree.map_structure(draw, batch.trajectory),
    )


def field(batch: Any, name: str) -> Any:
    """What an item calls `reward`, say, or `rewards`."""
    items = batch.trajectory if isinstance(batch, Sample) else batch
    return getattr(items, name if hasattr(items, name) else f"{name}s")


def size_of(batch: Any) -> int | None:
    """Items; None: the rows of a whole table, one item behind the other."""
    reward = field(batch, "reward")
    return int(reward.shape[0]) if reward.shape.rank > 1 else None


def length_of(batch: Any) -> int:
    """Rewards of an item, or rows of a whole table."""
    reward = field(batch, "reward")
    return int(reward.shape[-1]) if reward.shape.rank > 1 else int(reward.shape[0])


def timed(call: Callable[[], Any], repeats: int) -> list[float]:
    """Seconds of each repeat, after a warm-up."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def matmul_gflops(repeats: int, size: int = 3000) -> float:
    """The machine's own rate on a large float32 matrix product."""
    matrix = tf.random.normal([size, size])
    seconds = timed(lambda: tf.matmul(matrix, matrix).numpy(), repeats)
    return 2e-9 * size**3 / statistics.median(seconds)


def convolution_gflops(repeats: int, batch: int = 16, size: int = 24, channels: int = 64) -> float:
    """The machine's own rate on a 3×3 convolution, float32."""
    image = tf.random.normal([batch, size, size, channels])
    kernel = tf.random.normal([3, 3, channels, channels])
    convolve = tf.function(lambda: tf.nn.conv2d(image, kernel, 1, "SAME"), autograph=False)
    seconds = timed(lambda: convolve().numpy(), repeats)
    return 2e-9 * batch * size**2 * 9 * channels**2 / statistics.median(seconds)


def spread(name: str, values: Sequence[float]) -> Result:
    """Median, least and greatest."""
    return {name: statistics.median(values), f"{name}_min": min(values), f"{name}_max": max(values)}


def peak_memory_gib() -> float:
    """Of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
