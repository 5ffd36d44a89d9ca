"""`bench.py cem`: a plan in the latent space, beside the machine's own matrix product.

The product is timed between the plans, so that both see the same machine. `gflops` counts every
product that Algorithm 2 writes down, also those that a backend finds to be shared and skips.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

import tensorflow as tf

from agents.builder import Role
from agents.policy import PlanningPolicy
from pipelines.benchmarks import measured
from pipelines.benchmarks.measured import Result, Settings

MATRIX_SIZE = 3000


def seconds_of(call: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def run(settings: Settings) -> Iterator[Result]:
    """Times plans from `batch` beliefs, at the paper's size of the agent that `size` names."""
    who = measured.subject(settings.size, settings.bindings)
    config = type(who.builder.config).__name__
    backend = f"{config}.planning_backend = '{settings.backend}'"
    who = measured.subject(settings.size, [*settings.bindings, backend])
    policy = who.builder.make_policy(who.parts.networks(who.spec), who.spec, Role(evaluation=True))
    yield {
        "benchmark": "cem",
        "size": settings.size,
        "batch": settings.batch,
        "backend": settings.backend,
        **measure(policy, settings.batch, settings.repeats),
    }


def measure(policy: PlanningPolicy, batch_size: int, repeats: int) -> Result:
    """Times plans of a policy from `batch_size` beliefs; `repeats` are behind the median."""
    plan = tf.function(lambda seed: policy.plan_from_start(batch_size, seed), autograph=False)
    matrix, seed = tf.random.normal([MATRIX_SIZE, MATRIX_SIZE]), tf.constant([0, 0])
    calls = (lambda: plan(seed).numpy(), lambda: tf.matmul(matrix, matrix).numpy())
    for call in calls:
        call()
    times = [[seconds_of(call) for call in calls] for _ in range(repeats)]
    plans, products = zip(*times, strict=True)
    gigaflop = policy.plan_flop(batch_size) / 1e9
    gflops = gigaflop / statistics.median(plans)
    matmul_gflops = 2e-9 * MATRIX_SIZE**3 / statistics.median(products)
    return {
        "milliseconds": 1e3 * statistics.median(plans),
        "milliseconds_min": 1e3 * min(plans),
        "milliseconds_max": 1e3 * max(plans),
        "gigaflop": gigaflop,
        "gflops": gflops,
        "matmul_gflops": matmul_gflops,
        "matmul_share": gflops / matmul_gflops,
    }
