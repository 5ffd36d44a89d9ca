"""`bench.py learn`: an update of the agent's learner on random data of its table's signature."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

import sonnet as snt
import tensorflow as tf

from agents.builder import Stage
from pipelines.benchmarks import measured
from pipelines.benchmarks.measured import Result, Settings, Subject


def run(settings: Settings) -> Iterator[Result]:
    """Times `Learner.step` of each stage, and counts the products where the learner does."""
    who = measured.subject(settings.agent, settings.bindings)
    networks = who.parts.networks(who.spec)
    for stage in who.parts.stages:
        named = {"stage": stage.name} if len(who.parts.stages) > 1 else {}
        yield {"benchmark": "learn", "agent": who.builder.name, **named} | _updates(
            who, stage, networks, settings.repeats
        )


def _updates(who: Subject, stage: Stage, networks: snt.Module, repeats: int) -> Result:
    learner = stage.make_learner(networks, seed=0)
    batch = measured.random_batch(stage, who.spec, who.num_environments)
    start = time.perf_counter()
    learner.step(batch)
    first = time.perf_counter() - start
    seconds = measured.timed(
        lambda: tf.nest.map_structure(lambda x: x.numpy(), learner.step(batch).metrics), repeats
    )
    gigaflop = learner.flop(batch) / 1e9
    return {
        "batch": measured.size_of(batch),
        "length": measured.length_of(batch),
        **measured.spread("milliseconds", [1e3 * s for s in seconds]),
        "first_seconds": first,
        "gigaflop": gigaflop,
        "gflops": gigaflop / statistics.median(seconds),
        "matmul_gflops": measured.matmul_gflops(repeats),
        "peak_memory_gib": measured.peak_memory_gib(),
    }
