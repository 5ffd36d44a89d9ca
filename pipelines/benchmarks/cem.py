"""`bench.py cem`: a plan in the latent space, beside the machine's own matrix product.

The product is timed between the plans, so that both see the same machine. `gflops` counts every
product that Algorithm 2 writes down, also those that a backend finds to be shared and skips.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

MATRIX_SIZE = 3000


def seconds_of(call: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def measure(builder: Any, spec: Any, batch_size: int, repeats: int) -> dict[str, Any]:
    """Times plans of the builder's policy from `batch_size` beliefs.

    Args:
      builder, spec: PlaNet's builder and the environment's spec.
      batch_size: B, beliefs planned for at once.
      repeats: plans behind the median, after a warm-up.
    """
    networks = builder.make_networks(spec, seed=0)
    policy = builder.make_policy(networks, spec, evaluation=True)
    belief, seed = networks.dynamics.initial(batch_size), tf.constant([0, 0])
    plan = tf.function(policy.plan, autograph=False)
    matrix = tf.random.normal([MATRIX_SIZE, MATRIX_SIZE])
    calls = (lambda: plan(belief, seed).action.numpy(), lambda: tf.matmul(matrix, matrix).numpy())
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
