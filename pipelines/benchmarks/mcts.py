"""`bench.py mcts`: the tree search on a tabular model, whose evaluation costs almost nothing.

`tree_seconds` is what a search spends in the tree's own ops, the executor's work on them included:
the time of the whole search less that of the same loop without a tree, which asks the model for the
same number of steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from ops import mcts
from ops.mcts import backends
from ops.mcts.search import model_alone as ask_alone
from pipelines.benchmarks.measured import Result, Settings
from pipelines.system.errors import UserError

DEFAULT_SHAPES = "1,18,50;32,18,50;256,18,50;64,4,800;8,82,200;64,362,200;16,362,800"
NUM_STATES = 4096
_HOST_SIMULATIONS = 200


def parse_shapes(shapes: str) -> list[tuple[int, int, int]]:
    """'B,A,N;B,A,N' as triples.

    Raises:
      UserError: names what is not three positive integers.
    """
    parsed = []
    for text in shapes.split(";"):
        numbers = text.split(",")
        if len(numbers) != 3 or not all(n.strip().isdecimal() and int(n) > 0 for n in numbers):
            raise UserError(f"--shapes has {text!r}, expected B,A,N as three positive integers")
        parsed.append(tuple(int(n) for n in numbers))
    return parsed


class TabularModel:
    """Random tables of transitions, the model that the peers' benchmarks search too."""

    def __init__(self, num_actions: int, seed: int = 0):
        rng = np.random.RandomState(seed)
        size = (NUM_STATES, num_actions)
        self._next = tf.constant(rng.randint(0, NUM_STATES, size), tf.int32)
        self._reward = tf.constant(rng.randn(*size) * 0.1, tf.float32)
        self._logits = tf.constant(rng.randn(*size), tf.float32)
        self._value = tf.constant(rng.randn(NUM_STATES), tf.float32)

    def root(self, states: tf.Tensor) -> mcts.RootFnOutput:
        """The root of a search from states [B]."""
        return mcts.RootFnOutput(
            tf.gather(self._logits, states), tf.gather(self._value, states), states
        )

    def step(self, action: tf.Tensor, states: tf.Tensor):
        """The recurrent_fn: states [B] are the embedding."""
        at = tf.stack([states, action], axis=-1)
        after = tf.gather_nd(self._next, at)
        reward = tf.gather_nd(self._reward, at)
        step = mcts.RecurrentFnOutput(
            reward=reward,
            discount=tf.fill(tf.shape(reward), 0.997),
            prior_logits=tf.gather(self._logits, after),
            value=tf.gather(self._value, after),
        )
        return step, after


def median_seconds(
    calls: Sequence[Callable[[], object]], repeats: int, least: float = 1.0
) -> list[tuple[float, float]]:
    """Median and half the spread between the quartiles of each call.

    The calls take turns, so that what slows the machine slows all of them, at least `repeats` times
    and for at least so many seconds. Before that half of these warm up: TensorFlow's executor takes
    about a hundred runs to learn which kernels are not worth another thread.
    """
    _take_turns(calls, 2, least / 2)
    seconds = _take_turns(calls, repeats, least)
    low, median, high = np.percentile(seconds, [25, 50, 75], axis=0)
    return list(zip(median.tolist(), ((high - low) / 2).tolist(), strict=True))


def _take_turns(calls, repeats, least):
    """Seconds [turns, calls]."""
    seconds, end = [], time.perf_counter() + least
    while len(seconds) < repeats or time.perf_counter() < end:
        times = [time.perf_counter()]
        for call in calls:
            call()
            times.append(time.perf_counter())
        seconds.append(np.diff(times))
    return seconds


def _searches(model, states, num_simulations, backend, compiled):
    """The search, and the model's loop alone, as calls that return when all is computed."""

    @tf.function(jit_compile=compiled)
    def search():
        out = mcts.muzero_policy(
            model.root(states),
            model.step,
            num_simulations,
            dirichlet_fraction=0.0,
            seed=tf.constant([0, 1]),
            backend=backend,
        )
        return out.action_weights

    @tf.function(jit_compile=compiled)
    def model_alone():
        return ask_alone(model.root(states), model.step, num_simulations)

    return (lambda: search().numpy()), (lambda: model_alone().numpy())


def host_microseconds(batch: int, actions: int, simulations: int, backend: str) -> float:
    """Median of a batched simulation that Python drives through `mcts.Tree`; of the first ones."""
    simulations = min(simulations, _HOST_SIMULATIONS)
    logits = np.random.RandomState(0).randn(batch, actions).astype(np.float32)
    zeros, discount = np.zeros(batch, np.float32), np.full(batch, 0.9, np.float32)
    tree = mcts.Tree(mcts.RootFnOutput(logits, zeros, None), simulations, backend=backend)
    seconds = []
    for _ in range(simulations):
        start = time.perf_counter()
        tree.simulate()
        tree.expand(zeros, discount, logits, zeros)
        tree.backward()
        seconds.append(time.perf_counter() - start)
    return 1e6 * float(np.median(seconds))


def measure(batch: int, actions: int, simulations: int, backend: str, repeats: int) -> dict:
    """One shape's figures; XLA compiles `tensorflow`, `plain` is the same as SavedModels run it."""
    plain = backend == "plain"
    backend = "tensorflow" if plain else backends.resolve(backend)
    model = TabularModel(actions)
    states = tf.constant(np.random.RandomState(0).randint(0, NUM_STATES, batch), tf.int32)
    compiled = backend == "tensorflow" and not plain
    search, alone = _searches(model, states, simulations, backend, compiled)
    (whole, spread), (without_tree, _) = median_seconds((search, alone), repeats)
    tree = max(whole - without_tree, 1e-9)
    return {
        "batch": batch,
        "actions": actions,
        "simulations": simulations,
        "backend": "plain" if plain else backend,
        "seconds": whole,
        "spread": spread,
        "simulations_per_second": batch * simulations / whole,
        "tree_seconds": tree,
        "tree_simulations_per_second": batch * simulations / tree,
        "host_microseconds": host_microseconds(batch, actions, simulations, backend),
    }


def run(settings: Settings) -> Iterator[Result]:
    """Figures of each shape 'B,A,N;…'; where B is 1 and the backend 'auto', of both backends."""
    for shape in parse_shapes(settings.shapes or DEFAULT_SHAPES):
        # Of one row the executor's work on each op is what a simulation costs; XLA has no executor.
        alone = settings.backend == "auto" and shape[0] == 1
        for backend in ("native", "tensorflow") if alone else (settings.backend,):
            yield measure(*shape, backend, settings.repeats)
