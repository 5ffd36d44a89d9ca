#!/usr/bin/env python
"""What TensorFlow does with the planners on a GPU: are they right there, and how fast.

python tools/gpu_check.py [--device=GPU:0] [--repeats=N] [--shapes='B,A,N;...']

Needs a machine with a GPU, `tensorflow[and-cuda]` and the native ops built with CUDA. Each planner
runs on the native backend and in plain TensorFlow under XLA on the device, with equal seeds, and is
compared; then both are timed, and what `auto` takes there is named beside the faster one. Status 1
if results differ. `--device=CPU:0` tries the script where there is no GPU.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from absl import flags

from pipelines.system import command_line
from pipelines.system.errors import UserError

if TYPE_CHECKING:
    import numpy as np

_FLAGS = flags.FlagValues()
_DEVICE = flags.DEFINE_string("device", "GPU:0", "Where planners run.", flag_values=_FLAGS)
_REPEATS = flags.DEFINE_integer("repeats", 5, "Behind a figure.", lower_bound=1, flag_values=_FLAGS)
_SHAPES = flags.DEFINE_string(
    "shapes", "1,18,50;32,18,50;8,82,200;16,362,800", "Of tree searches.", flag_values=_FLAGS
)
_BACKENDS = ("native", "tensorflow")


class Planner(NamedTuple):
    """A planner on either backend.

    Attributes:
      run: backend → what to call for its result, a vector of numbers.
      auto: the backend that `auto` takes.
      tolerance: by which results may differ.
    """

    name: str
    run: Callable[[str], Callable[[], np.ndarray]]
    auto: str
    tolerance: float


def main(argv: list[str]) -> int:
    """Prints a line a planner; returns the exit status, see `command_line`."""
    wrong: list[str] = []
    status = command_line.run_program(argv, _FLAGS, __doc__, lambda: wrong.extend(_check()))
    return status or int(bool(wrong))


def _check() -> list[str]:
    import tensorflow as tf  # Its import takes seconds.

    kind, _, number = _DEVICE.value.partition(":")
    there = tf.config.list_logical_devices(kind)
    if not number.isdecimal() or int(number) >= len(there):
        raise UserError(f"--device is '{_DEVICE.value}'; this machine has {len(there)} of the kind")
    with tf.device(_DEVICE.value):
        return [planner.name for planner in _planners() if not _right(planner)]


def _right(planner: Planner) -> bool:
    """Prints what is to be said of a planner; returns whether both backends agree."""
    import numpy as np

    from pipelines.benchmarks import mcts

    calls = [planner.run(backend) for backend in _BACKENDS]
    results = [call() for call in calls]
    difference = float(np.max(np.abs(results[0] - results[1])))
    milliseconds = [1e3 * median for median, _ in mcts.median_seconds(calls, _REPEATS.value)]
    times = ", ".join(
        f"{backend} {time:.3g} ms" for backend, time in zip(_BACKENDS, milliseconds, strict=True)
    )
    right = difference <= planner.tolerance
    faster = _BACKENDS[int(np.argmin(milliseconds))]
    print(
        f"{planner.name}: {'equal' if right else 'DIFFERENT'} (by {difference:.2g}); {times}; "
        f"auto takes {planner.auto}{'' if planner.auto == faster else ', the slower one'}",
        flush=True,
    )
    return right


def _planners() -> Iterator[Planner]:
    from pipelines.benchmarks.mcts import parse_shapes

    for shape in parse_shapes(_SHAPES.value):
        yield _tree_search(*shape)
    yield _candidates()
    yield _latent_plan()


def _tree_search(batch: int, actions: int, simulations: int) -> Planner:
    """MuZero's search of a tabular model: the share of visits of each action."""
    import tensorflow as tf

    from ops import mcts
    from ops.mcts import backends
    from pipelines.benchmarks.mcts import TabularModel

    model, states = TabularModel(actions), tf.range(batch)

    def run(backend: str) -> Callable[[], np.ndarray]:
        @tf.function(jit_compile=backend == "tensorflow")
        def search() -> tf.Tensor:
            seed, root = tf.constant([0, 1]), model.root(states)
            options = {"dirichlet_fraction": 0.0, "seed": seed, "backend": backend}
            return mcts.muzero_policy(root, model.step, simulations, **options).action_weights

        return lambda: search().numpy()

    name = f"tree search ({batch}, {actions}, {simulations})"
    return Planner(name, run, backends.resolve("auto"), 1e-6)


def _candidates() -> Planner:
    """CEM on a quadratic objective, all noise given: the mean of the last iteration."""
    import tensorflow as tf

    from ops import cem
    from ops.cem import backends

    noise = tf.random.stateless_normal([10, 4, 1000, 12, 6], [0, 1])
    aim = tf.random.stateless_uniform([4, 1, 12, 6], [2, 3], -1.0, 1.0)

    def run(backend: str) -> Callable[[], np.ndarray]:
        @tf.function(jit_compile=backend == "tensorflow")
        def plan() -> tf.Tensor:
            objective = lambda actions: -tf.reduce_sum(tf.square(actions - aim), [2, 3])  # noqa: E731
            sizes = (4, 12, 6, 10, 1000, 100)
            return cem.optimize(objective, *sizes, noise=noise, backend=backend).mean

        return lambda: plan().numpy()

    return Planner("CEM, 4 × 1000 candidates", run, backends.resolve("auto"), 1e-4)


def _latent_plan() -> Planner:
    """PlaNet's plan at the paper's size, from its first belief: the mean of the last iteration."""
    import tensorflow as tf

    from agents.builder import Role
    from ops.cem import backends
    from pipelines.benchmarks import measured

    def run(backend: str) -> Callable[[], np.ndarray]:
        binding = f"PlaNetConfig.planning_backend = '{backend}'"
        who = measured.subject("planet", [binding])
        networks = who.parts.networks(who.spec)
        policy: Any = who.builder.make_policy(networks, who.spec, Role(evaluation=True))
        compiled = backend == "tensorflow"
        plan = tf.function(lambda: policy.plan_from_start(1, [0, 1]), jit_compile=compiled)
        return lambda: plan().numpy()

    return Planner("PlaNet's plan", run, backends.resolve("auto"), 1e-2)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
