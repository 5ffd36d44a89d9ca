"""Measures the parts that must be fast; one result a line.

python pipelines/bench.py learn|act|cem|replay|mcts [--agent=planet] [--batch=N] [--repeats=N]
    [--json] [--gin_bindings='PlaNetConfig.batch_size = 16' ...] [--shapes='B,A,N;...']
    [--backend=auto|native|tensorflow]

learn   an update of the agent's learner on a batch of its own shapes
act     a step of the agent's policy, for --batch environments
cem     a plan in the latent space of --size, for --batch beliefs
replay  batches of real frames through table and dataset
mcts    tree searches of --shapes over a tabular model

Each figure is the median of several repeats after a warm-up, with the least and the greatest beside
it. `matmul_gflops` is the machine's own rate on a large float32 matrix product, measured right
after; compare ratios, not absolute times.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import flags

from pipelines.system import command_line
from pipelines.system.errors import UserError, first_line

_FLAGS = flags.FlagValues()
_AGENT = flags.DEFINE_string(
    "agent", "planet", "Agent or gin file: gin/<agent>.gin is measured.", flag_values=_FLAGS
)
_SIZE = flags.DEFINE_enum(
    "size", "planet", ["planet"], "Sizes that `cem` plans with.", flag_values=_FLAGS
)
_BACKEND = flags.DEFINE_enum(
    "backend",
    "auto",
    ["auto", "native", "tensorflow"],
    "Backend of `cem` and `mcts`.",
    flag_values=_FLAGS,
)
_SHAPES = flags.DEFINE_string(
    "shapes", None, "Shapes of `mcts`: 'B,A,N;...'; its own by default.", flag_values=_FLAGS
)
_BATCH = flags.DEFINE_integer(
    "batch",
    1,
    "Environments of `act`, beliefs of `cem`.",
    lower_bound=1,
    flag_values=_FLAGS,
)
_REPEATS = flags.DEFINE_integer(
    "repeats", 5, "Repeats behind a figure.", lower_bound=1, flag_values=_FLAGS
)
_JSON = flags.DEFINE_bool("json", False, "Prints one JSON object a line.", flag_values=_FLAGS)
_GIN_BINDINGS = flags.DEFINE_multi_string(
    "gin_bindings", [], "Bindings over the agent's file.", flag_values=_FLAGS
)

Result = dict[str, Any]

# Agents of which no gin file has the name alone, and the file that is measured then.
_GIN_FILES = {"muzero": "muzero_cartpole_small"}

# Rows of the table that learners are measured with which read all of it, or ask for its size.
_ROWS = 2001


def bench_learn() -> Iterator[Result]:
    """Times `Learner.step` on random data of the table's signature."""
    import tensorflow as tf

    builder, spec = _agent()
    learner = builder.make_learner(builder.make_networks(spec, seed=0), seed=0)
    batch = _random_batch(builder, spec)
    start = time.perf_counter()
    learner.step(batch)
    first = time.perf_counter() - start
    seconds = _timed(lambda: tf.nest.map_structure(lambda x: x.numpy(), learner.step(batch)))
    gigaflop = learner.flop(batch) / 1e9
    yield {
        "benchmark": "learn",
        "agent": builder.name,
        "batch": builder.dataset_options.batch_size,
        "length": _length(batch),
        **_spread("milliseconds", [1e3 * s for s in seconds]),
        "first_seconds": first,
        "gigaflop": gigaflop,
        "gflops": gigaflop / statistics.median(seconds),
        "matmul_gflops": _matmul_gflops(),
        "peak_memory_gib": _peak_memory_gib(),
    }


def bench_act() -> Iterator[Result]:
    """Times the acting policy for a batch of environments."""
    import tensorflow as tf

    policy, name = _acting_policy()
    state = policy.initial_state(_BATCH.value)
    observation = tf.nest.map_structure(_shown, policy.observation_spec)
    seed = tf.constant([0, 0])
    step = lambda: policy.step(observation, state, seed)[0].numpy()  # noqa: E731
    seconds = _timed(step)
    yield {
        "benchmark": "act",
        "agent": name,
        "batch": _BATCH.value,
        **_spread("milliseconds", [1e3 * s for s in seconds]),
        "actions_per_second": _BATCH.value / statistics.median(seconds),
        **_work(policy, statistics.median(seconds)),
        **_tree(policy, step, observation, state),
    }


def bench_cem() -> Iterator[Result]:
    """Times a latent plan at PlaNet's size (H 12, I 10, J 1000, K 100)."""
    from pipelines.benchmarks import cem as bench_cem

    backend = _BACKEND.value
    builder, spec = _agent(_SIZE.value, [f"PlaNetConfig.planning_backend = '{backend}'"])
    yield {
        "benchmark": "cem",
        "size": _SIZE.value,
        "batch": _BATCH.value,
        "backend": backend,
        **bench_cem.measure(builder, spec, _BATCH.value, _REPEATS.value),
    }


def bench_replay() -> Iterator[Result]:
    """Times batches of real episodes through table and dataset, with nobody learning."""
    import numpy as np
    import tree

    from agents.actor import Actor
    from pipelines.acting.environment_loop import EnvironmentLoop
    from pipelines.environments import BatchedEnvironment
    from pipelines.replay.datasets import make_dataset
    from pipelines.replay.server import EpisodeBuffer, Replay

    builder, spec, environment = _agent(with_environment=True)
    tables, options = builder.make_tables(spec), builder.dataset_options
    if options.batch_size is None:
        raise UserError(f"{builder.name} reads whole tables; expected an agent that reads batches")
    replay = Replay(tables)
    adder = EpisodeBuffer(builder.make_adder(replay.client))
    actor = Actor(builder.make_seed_policy(spec), 1, 0, [adder], builder.extras)
    EnvironmentLoop(BatchedEnvironment([environment]), actor).run(10)
    dataset = make_dataset(
        replay.address, options.table, options.batch_size, prioritized=options.prioritized
    )
    iterator = iter(dataset)
    next(iterator)
    count = 10
    seconds = _timed(lambda: [next(iterator) for _ in range(count)])
    batch = next(iterator)
    frames = tree.flatten(_trajectory(batch).observation)
    megabytes = sum(np.prod(leaf.shape) * leaf.dtype.size for leaf in frames) / 1e6
    rates = [count / s for s in seconds]
    yield {
        "benchmark": "replay",
        "agent": builder.name,
        "batch": options.batch_size,
        "length": _length(batch),
        **_spread("batches_per_second", rates),
        "megabytes_per_second": float(statistics.median(rates) * megabytes),
    }
    replay.close()


def bench_mcts() -> Iterator[Result]:
    """Times searches of a tabular model: whole, and in the tree's own ops."""
    from pipelines.benchmarks import mcts as bench_mcts

    shapes = _SHAPES.value or bench_mcts.DEFAULT_SHAPES
    yield from bench_mcts.run(shapes, _BACKEND.value, _REPEATS.value)


BENCHMARKS: dict[str, Callable[[], Iterator[Result]]] = {
    "learn": bench_learn,
    "act": bench_act,
    "cem": bench_cem,
    "replay": bench_replay,
    "mcts": bench_mcts,
}


def main(argv: list[str]) -> int:
    """Runs the benchmark that is named; returns the exit status, see `command_line`."""
    return command_line.run_program(argv, _FLAGS, __doc__, _measure, names=list(BENCHMARKS))


def _measure(benchmark: str) -> None:
    import tensorflow as tf

    try:
        for result in BENCHMARKS[benchmark]():
            print(json.dumps(_rounded(result)) if _JSON.value else _text(result), flush=True)
    except (ValueError, tf.errors.InvalidArgumentError) as error:
        # What agents and ops refuse was asked for on the command line.
        raise UserError(first_line(error)) from error


def _gin_file(agent: str) -> str:
    return f"gin/{_GIN_FILES.get(agent, agent)}.gin"


def _agent(
    name: str | None = None, bindings: Sequence[str] = (), with_environment: bool = False
) -> tuple:
    """Builder and environment's spec of gin/<name>.gin; --agent names it by default."""
    from pipelines.configuration import experiment
    from pipelines.environments import make_environment_spec

    gin_file = _gin_file(name or _AGENT.value)
    described = experiment.parse([gin_file], [*bindings, *_GIN_BINDINGS.value])
    environment = described.environment(seed=0)
    spec = make_environment_spec(environment)
    return (described.builder, spec, *([environment] if with_environment else []))


def _work(policy: Any, seconds: float) -> Result:
    """What a policy says of its own work, for planners that do."""
    if hasattr(policy, "model_evaluations"):
        count = policy.model_evaluations(_BATCH.value)
        return {"model_evaluations": count, "model_evaluations_per_second": count / seconds}
    return policy.measurements() if hasattr(policy, "measurements") else {}


def _tree(policy: Any, step: Callable[[], Any], observation: Any, state: Any) -> Result:
    """Of policies that search a tree: simulations a second, and where a step's time goes.

    `tree_share` is spent in the tree's own ops, the executor's work on them included; `move_share`
    once a move on noise and the action's choice; the rest in the network.
    """
    import tensorflow as tf

    from pipelines.benchmarks import mcts as bench_mcts

    if not hasattr(policy, "searched"):
        return {}

    @tf.function(autograph=False)
    def search_alone() -> tf.Tensor:
        return policy.bare_search(observation, state)

    @tf.function(autograph=False)
    def model_alone() -> tf.Tensor:
        return bench_mcts.without_tree(*policy.searched(observation, state), policy.num_simulations)

    calls = (step, lambda: search_alone().numpy(), lambda: model_alone().numpy())
    times = bench_mcts.median_seconds(calls, _REPEATS.value)
    whole, searching, network = (seconds for seconds, _ in times)
    return {
        "simulations_per_second": _BATCH.value * policy.num_simulations / whole,
        "tree_share": max(0.0, searching - network) / whole,
        "move_share": max(0.0, whole - searching) / whole,
    }


def _acting_policy() -> tuple:
    """The agent's collecting policy for --batch environments, and the agent's name."""
    from agents.builder import PlannerBuilder
    from pipelines.configuration import experiment
    from pipelines.environments import make_environment_spec
    from pipelines.launch import parts

    described = experiment.parse([_gin_file(_AGENT.value)], _GIN_BINDINGS.value)
    builder = described.builder
    plans_only = isinstance(builder, PlannerBuilder)
    environment = parts.make_environments(described, _BATCH.value if plans_only else 1, seed=0)
    if plans_only:
        environment.reset()
        return builder.make_policy(environment.environments), builder.name
    spec = make_environment_spec(environment)
    networks = builder.make_networks(spec, seed=0)
    return builder.make_policy(networks, spec, evaluation=False), builder.name


def _shown(spec: Any) -> Any:
    """Zeros for --batch environments; truths, such as legal actions, all hold."""
    import tensorflow as tf

    fill = tf.ones if spec.dtype.is_bool else tf.zeros
    return fill([_BATCH.value, *spec.shape], spec.dtype)


def _random_batch(builder: Any, spec: Any) -> Any:
    """A batch as the learner reads it; integers are 0, truths do not hold."""
    import numpy as np
    import tensorflow as tf
    import tree

    from agents.types import Sample, Trajectory

    rng = np.random.default_rng(0)

    def draw(array: tf.TensorSpec) -> tf.Tensor:
        shape = [builder.dataset_options.batch_size, *array.shape]
        if shape[0] is None:  # Learners of whole tables.
            shape = [_ROWS, *array.shape[1:]]
        if array.dtype == tf.uint8:
            return tf.constant(rng.integers(0, 256, shape), tf.uint8)
        if array.dtype.is_floating:
            return tf.constant(rng.standard_normal(shape), array.dtype)
        return tf.zeros(shape, array.dtype)

    signature = builder.make_tables(spec)[0].info.signature
    trajectory = Trajectory(*tree.map_structure(draw, signature))
    if not builder.dataset_options.prioritized:
        return trajectory
    keys = tf.range(builder.dataset_options.batch_size, dtype=tf.int64)
    probabilities = tf.fill(keys.shape, tf.constant(1 / _ROWS, tf.float64))
    sizes = tf.fill(keys.shape, tf.constant(_ROWS, tf.int64))
    return Sample(tf.cast(keys, tf.uint64), probabilities, sizes, trajectory)


def _trajectory(batch: Any) -> Any:
    from agents.types import Sample

    return batch.trajectory if isinstance(batch, Sample) else batch


def _length(batch: Any) -> int:
    return int(_trajectory(batch).reward.shape[-1])


def _timed(call: Callable[[], Any]) -> list[float]:
    """Seconds of each repeat, after a warm-up."""
    call()
    seconds = []
    for _ in range(_REPEATS.value):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def _matmul_gflops(size: int = 3000) -> float:
    import tensorflow as tf

    matrix = tf.random.normal([size, size])
    seconds = _timed(lambda: tf.matmul(matrix, matrix).numpy())
    return 2e-9 * size**3 / statistics.median(seconds)


def _spread(name: str, values: list[float]) -> Result:
    return {name: statistics.median(values), f"{name}_min": min(values), f"{name}_max": max(values)}


def _peak_memory_gib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _rounded(result: Result) -> Result:
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in result.items()}


def _text(result: Result) -> str:
    return "  ".join(f"{name} {value}" for name, value in _rounded(result).items())


if __name__ == "__main__":
    sys.exit(main(sys.argv))
