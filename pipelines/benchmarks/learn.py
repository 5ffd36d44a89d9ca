"""`bench.py learn`: an update of the agent's learner on random data of its table's signature."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import tensorflow as tf

from pipelines.benchmarks import measured
from pipelines.benchmarks.measured import Result, Settings


def run(settings: Settings) -> Iterator[Result]:
    """Times `Learner.step`, and counts the products where the learner does."""
    who = measured.subject(settings.agent, settings.bindings)
    networks = who.parts.networks(who.spec)
    learner = who.stage.make_learner(networks, seed=0)
    batch = measured.random_batch(who.stage, who.spec, who.num_environments)
    start = time.perf_counter()
    learner.step(batch)
    first = time.perf_counter() - start
    seconds = measured.timed(
        lambda: tf.nest.map_structure(lambda x: x.numpy(), learner.step(batch).metrics),
        settings.repeats,
    )
    gigaflop = learner.flop(batch) / 1e9
    yield {
        "benchmark": "learn",
        "agent": who.builder.name,
        "batch": measured.size_of(batch),
        "length": measured.length_of(batch),
        **measured.spread("milliseconds", [1e3 * s for s in seconds]),
        "first_seconds": first,
        "gigaflop": gigaflop,
        "gflops": gigaflop / statistics.median(seconds),
        "matmul_gflops": measured.matmul_gflops(settings.repeats),
        "peak_memory_gib": measured.peak_memory_gib(),
    }
