"""Checks the latent planner's CUDA kernels on a GPU and measures them; NumPy and nvcc alone.

    python -m tests.gpu.cem_on_gpu [--library=FILE] [--batch=B] [--emulate]

Builds the library if none is given, replays the CPU's recordings, and prints one JSON object for
each precision: milliseconds of a plan at PlaNet's size, microseconds of an ensemble of PETS'.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.gpu import cem_harness as harness

REPEATS, LAUNCHES = 10, 100
D, S, A, U, H = 200, 30, 1, 200, 12
GIGAFLOP = 92.256


def planet(batch: int, candidates: int, iterations: int) -> dict[str, np.ndarray]:
    """A problem of PlaNet's size with random weights."""
    rng = np.random.default_rng(0)
    stacks = {
        "input": [(S, U)],
        "gru": [(U, 3 * D), (D, 3 * D)],
        "prior": [(D, U), (U, 2 * S)],
        "reward": [(D + S, U), (U, U), (U, 1)],
    }
    problem = {
        "deterministic": np.zeros((batch, D)),
        "stochastic": np.zeros((batch, S)),
        "initial_mean": np.zeros((batch, H, A)),
        "initial_stddev": np.ones((batch, H, A)),
        "action_min": -np.ones(A),
        "action_max": np.ones(A),
        "action_weights": 0.05 * rng.standard_normal((A, U)),
    }
    for part, shapes in stacks.items():
        for i, shape in enumerate(shapes):
            problem[f"{part}_weights_{i}"] = 0.05 * rng.standard_normal(shape)
            problem[f"{part}_bias_{i}"] = np.zeros(shape[1])
    problem = {name: values.astype(np.float32) for name, values in problem.items()}
    counts = {f"{part}_count": np.asarray(len(shapes)) for part, shapes in stacks.items()}
    settings = dict(
        seed=np.int32([0, 0]), activation="elu", model_min_stddev=0.1, momentum=0.0,
        min_stddev=0.0, num_candidates=candidates, num_elites=candidates // 10,
        num_iterations=iterations, sample=True, mean_absolute_deviation=True,
    )  # fmt: skip
    return problem | counts | {name: np.asarray(value) for name, value in settings.items()}


def measure(device: harness.Device, batch: int, bfloat16: bool) -> dict:
    """Milliseconds of a plan, the median of some, after one to warm up."""
    plan = harness.Plan(device, planet(batch, candidates=1000, iterations=10), bfloat16)
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.perf_counter()
        plan.launch()
        plan.result()
        seconds.append(time.perf_counter() - start)
    plan.free()
    median = statistics.median(seconds[1:])
    return {
        "batch": batch,
        "precision": "bfloat16" if bfloat16 else "float32",
        "milliseconds": round(1e3 * median, 3),
        "gflops": round(GIGAFLOP * batch / median, 1),
    }


def measure_ensemble(device: harness.Device, bfloat16: bool) -> dict:
    """Microseconds of one question to PETS' half-cheetah ensemble, launched many times."""
    members, rows, sizes = 5, 1600, (18, 500, 500, 500, 36)
    rng = np.random.default_rng(0)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)  # noqa: E731
    pairs = list(itertools.pairwise(sizes))
    weights = [normal(members, i, o) / np.float32(i**0.5) for i, o in pairs]
    biases = [normal(members, o) for _, o in pairs]
    inputs = normal(members, rows, sizes[0])
    networks = harness.Networks(device, inputs, weights, biases, "swish", bfloat16)
    seconds = []
    for _ in range(REPEATS + 1):
        device.synchronize()
        start = time.perf_counter()
        for _ in range(LAUNCHES):
            networks.launch()
        device.synchronize()
        seconds.append((time.perf_counter() - start) / LAUNCHES)
    networks.free()
    median = statistics.median(seconds[1:])
    flop = 2 * members * rows * sum(i * o for i, o in pairs)
    return {
        "ensemble": [members, rows, *sizes],
        "precision": "bfloat16" if bfloat16 else "float32",
        "microseconds": round(1e6 * median, 1),
        "gflops": round(1e-9 * flop / median, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--emulate", action="store_true", help="on the host: the recordings alone")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = harness.emulation_command if arguments.emulate else harness.nvcc_command
        library = arguments.library or harness.shared.build(command(Path(folder) / "cem.so"))
        device = harness.Device(library)
        for path in sorted(harness.RECORDINGS.glob("*.npz")):
            harness.replay(device, dict(np.load(path)))
            harness.replay_once(device, dict(np.load(path)))
        print(json.dumps({"recordings": "equal"}), flush=True)
        for bfloat16 in () if arguments.emulate else (False, True):
            print(json.dumps(measure(device, arguments.batch, bfloat16)))
            print(json.dumps(measure_ensemble(device, bfloat16)))


if __name__ == "__main__":
    main()
