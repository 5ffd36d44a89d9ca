"""Checks the tree search's CUDA kernels on a GPU and measures them; NumPy and nvcc, no TensorFlow.

    python -m tests.gpu.mcts_on_gpu [--library=FILE] [--shapes=B,A,N;...] [--emulate]

Builds the library if none is given, replays the CPU's recordings, and prints one JSON object a
shape: simulations a second of the tree's own two launches a simulation, without a model.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from ctypes import c_int32
from pathlib import Path

import numpy as np

from tests.gpu import mcts_harness as harness

SHAPES = "32,18,50;256,18,50;64,4,800;8,82,200;64,362,200;16,362,800"
ANSWERS = 16
REPEATS = 5


def rule() -> harness.c_types.Rule:
    """muzero_policy's defaults."""
    return harness.c_types.rule(
        "puct", "parent_and_siblings", (1 << 31) - 1, 1.25, 19652.0, min_value=0.0,
        max_value=1.0, fpu_reduction=-1.0, value_scale=0.1, maxvisit_init=50.0,
        rescale_values=1, use_mixed_value=1, epsilon=1e-8,
    )  # fmt: skip


def random_answers(device, forest, rng):
    """Answers on the device, and the structures that launch with them, for any edge."""
    kept, structures = [], []
    for _ in range(ANSWERS):
        said = {
            "reward": rng.normal(size=forest.batch),
            "discount": np.full(forest.batch, 0.9),
            "prior_logits": rng.normal(size=(forest.batch, forest.num_actions)),
            "value": rng.normal(size=forest.batch),
        }
        arrays = {k: harness.DeviceArray(device, v.astype(np.float32)) for k, v in said.items()}
        pointers = {k: array.pointer.value for k, array in arrays.items()}
        edge = dict(parent=forest.parent.pointer.value, action=forest.action.pointer.value)
        structures.append(harness.Answers(**edge, **pointers))
        kept += arrays.values()
    return kept, structures


def measure(device: harness.Device, batch: int, num_actions: int, num_simulations: int) -> dict:
    """Seconds of a whole search's launches, the median of some, after one to warm up."""
    rng, noise, seconds = np.random.default_rng(0), harness.RootNoise(), []
    forest = harness.DeviceForest(device, batch, num_simulations + 1, num_actions)
    logits = rng.normal(size=(batch, num_actions)).astype(np.float32)
    kept, answers = random_answers(device, forest, rng)
    for _ in range(REPEATS + 1):
        forest.plant(logits, np.zeros(batch, np.float32))
        device.synchronize()
        start = time.perf_counter()
        for i in range(num_simulations):
            forest.simulate(rule(), noise)
            arrays = (answers[i % ANSWERS], forest.embeddings, c_int32(1), forest.leaf)
            device.launch("expand", forest.forest, *arrays)
        device.synchronize()
        seconds.append(time.perf_counter() - start)
    assert (forest.stats.read()[:, 0] == num_simulations + 1).all()
    for array in (*kept, forest):
        array.free()
    median = statistics.median(seconds[1:])
    return dict(
        batch=batch, actions=num_actions, simulations=num_simulations, tree_seconds=median,
        simulations_per_second=batch * num_simulations / median,
        spread=max(seconds[1:]) - min(seconds[1:]),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=Path, help="built before, by mcts_harness.nvcc_command")
    parser.add_argument("--shapes", default=SHAPES, help="batch,actions,simulations;...")
    parser.add_argument("--emulate", action="store_true", help="on the host, to try this program")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = harness.emulation_command if arguments.emulate else harness.nvcc_command
        library = arguments.library or harness.build(command(Path(folder) / "mcts.so"))
        device = harness.Device(library)
        for path in sorted(harness.RECORDINGS.glob("*.npz")):
            harness.replay(device, np.load(path))
            print(json.dumps({"recording": path.stem, "equal": True}), flush=True)
        for shape in arguments.shapes.split(";"):
            print(json.dumps(measure(device, *map(int, shape.split(",")))), flush=True)


if __name__ == "__main__":
    main()
