"""Protects the kernels' own arithmetic: elementwise functions, draws, widths, threads."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ops import cem, loader
from tests.ops.cem import latents as make

ROOT = Path(__file__).resolve().parents[3]
EPSILON = np.finfo(np.float32).eps


def elementwise(function: int, x: np.ndarray, instruction_set: str) -> np.ndarray:
    loader.load("cem")  # First: TensorFlow wraps the ops of a library that it loads itself.
    library = ctypes.CDLL(str(loader.path_of("cem")))
    call = library.lookahead_cem_elementwise
    pointer = ctypes.POINTER(ctypes.c_float)
    call.argtypes = [ctypes.c_char_p, ctypes.c_int32, pointer, ctypes.c_int64, pointer]
    x = np.ascontiguousarray(x, np.float32)
    out = np.empty_like(x)
    here, there = (values.ctypes.data_as(pointer) for values in (x, out))
    assert x.size % 16 == 0
    assert call(instruction_set.encode(), function, here, x.size, there) == 1
    return out


def spread(low: float, high: float) -> np.ndarray:
    """Points of [low, high], evenly and at every scale towards 0."""
    even = np.linspace(low, high, 200_000)
    scales = np.geomspace(1e-30, 1.0, 50_000)
    return np.concatenate([even, low * scales, high * scales]).astype(np.float32)[: 300_000 - 32]


# Number in elementwise.h, name, arguments, the float64 value, greatest relative error.
FUNCTIONS = {
    "exp": (0, spread(-87, 87), np.exp, 4e-7),
    "expm1": (1, spread(-87, 0), np.expm1, 2e-7),
    "sigmoid": (2, spread(-80, 87), lambda x: 1 / (1 + np.exp(-x)), 4e-7),
    "tanh": (3, spread(-30, 30), np.tanh, 3e-7),
    "log": (4, np.abs(spread(1e-7, 1e6)) + np.float32(1e-7), np.log, 2e-7),
    "softplus": (5, spread(-80, 80), lambda x: np.logaddexp(0, x), 4e-7),
}


@pytest.mark.parametrize("instruction_set", ["auto", "baseline"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementwise_functions_are_as_exact_as_their_header_says(name: str, instruction_set: str):
    number, x, function, bound = FUNCTIONS[name]
    actual, expected = elementwise(number, x, instruction_set), function(x.astype(np.float64))
    scale = np.maximum(np.abs(expected), 1 if name == "log" else np.finfo(np.float32).tiny)
    error = np.abs(actual - expected) / scale
    print(name, instruction_set, "greatest relative error", error.max(), "at", x[error.argmax()])
    assert error.max() < bound


@pytest.mark.parametrize("instruction_set", ["auto", "baseline"])
@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - {"log"}))
def test_elementwise_functions_keep_a_nan(name: str, instruction_set: str):
    out = elementwise(FUNCTIONS[name][0], np.full(16, np.nan), instruction_set)
    assert np.all(np.isnan(out))


def sample(seed: list[int], batch_size: int, instruction_set: str = "auto") -> tf.Tensor:
    plan = tf.zeros([batch_size, 5, 3])
    return loader.load("cem").lookahead_cem_sample(
        mean=plan,
        stddev=tf.ones_like(plan),
        action_min=[-np.inf] * 3,
        action_max=[np.inf] * 3,
        seed=seed,
        noise=[],
        num_candidates=1001,
        instruction_set=instruction_set,
    )


@pytest.mark.parametrize("instruction_set", ["auto", "baseline"])
@pytest.mark.parametrize("seed", [[0, 0], [1, 2], [-7, 2**31 - 1], [2**31 - 1, -(2**31)]])
def test_draws_are_those_of_stateless_normal(seed: list[int], instruction_set: str):
    expected = tf.random.stateless_normal([2, 1001, 5, 3], seed)
    actual = sample(seed, 2, instruction_set)
    # A few units in the last place; where the length is near 0 it cancels.
    np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=2e-6)
    assert np.mean(actual.numpy() == expected.numpy()) > 0.5


PLAN_ON_ONE_THREAD = """
import sys
import numpy as np
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
from tests.ops.cem import arithmetic_test
np.save(sys.argv[1], arithmetic_test.large_plan())
"""


def large_plan() -> np.ndarray:
    """Mean and returns of a plan of many tiles."""
    rng = np.random.RandomState(1)
    model = make.make_model(rng)
    belief = make.make_belief(rng, model, batch_size=3)
    plan = cem.plan_latent(*belief, model, 4, 3, 130, 9, seed=[1, 2], backend="native")
    return np.concatenate([tf.reshape(plan.mean, [-1]), tf.reshape(plan.returns, [-1])])


def test_the_number_of_threads_does_not_change_a_bit(tmp_path: Path):
    path = tmp_path / "one.npy"
    command = [sys.executable, "-c", PLAN_ON_ONE_THREAD, str(path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(path), large_plan())


def test_sixteen_lanes_plan_as_four_do(tmp_path: Path):
    # The rollout of AVX-512's width and panels, in portable code: same order, same bits.
    kernels = ROOT / "ops" / "cem" / "cc" / "kernels"
    sources = [Path(__file__).parent / "wide_rollout.cc"] + [
        kernels / f"{name}.cc" for name in ("packed", "planner", "rollout_baseline", "tiles")
    ]
    flags = ["-std=c++17", "-O0", "-Wall", "-Wextra", "-Werror", "-Wno-psabi", "-ffp-contract=off"]
    program = str(tmp_path / "wide")
    subprocess.run(["g++", *flags, f"-I{ROOT}", *map(str, sources), "-o", program], check=True)
    result = subprocess.run([program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "plans compared: 12" in result.stdout
