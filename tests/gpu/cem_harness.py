"""Drives the CUDA launcher of ops/cem by ctypes: NumPy alone, no TensorFlow.

A library for it is built by nvcc for a GPU, or by g++ with the emulation of `emulated/`,
which runs the same source on the host.
"""

from __future__ import annotations

import ctypes
from ctypes import c_bool, c_float, c_int32, c_int64, c_void_p
from pathlib import Path

import numpy as np

from tests.gpu import mcts_harness as shared

ROOT = shared.ROOT
SOURCES = (
    *(ROOT / "ops/cem/cc/cuda" / name for name in ("plan.cu", "ensemble.cu")),
    ROOT / "tests/gpu/device_memory.cu",
)
RECORDINGS = ROOT / "tests" / "goldens" / "cem_gpu"
MAX_LAYERS = 16
PARTS = ("input", "gru", "prior", "reward")
ACTIVATIONS = ("relu", "elu", "swish")


class Layer(ctypes.Structure):
    _fields_ = [("weights", c_void_p), ("bias", c_void_p), ("depth", c_int64), ("width", c_int64)]


class Layers(ctypes.Structure):
    _fields_ = [("layer", Layer * MAX_LAYERS), ("count", c_int64)]


class Model(ctypes.Structure):
    _fields_ = [
        *[(f"{name}_size", c_int64) for name in ("action", "stochastic", "deterministic")],
        ("action_weights", c_void_p),
        *[(name, Layers) for name in ("input", "prior", "reward")],
        ("has_gru", c_bool),
        *[(name, Layer) for name in ("gru_input", "gru_recurrent")],
        ("activation", c_int32),
        ("sample", c_bool),
        ("prior_stddev", c_bool),
        ("model_stddev", c_float),
    ]


class Settings(ctypes.Structure):
    _fields_ = [
        *[(name, c_int64) for name in ("batch", "candidates", "elites", "horizon", "iterations")],
        ("mean_absolute_deviation", c_bool),
        *[(name, c_float) for name in ("momentum", "min_stddev")],
        *[(name, c_void_p) for name in ("action_min", "action_max")],
    ]


class LatentPlan(ctypes.Structure):
    _fields_ = [
        ("model", Model),
        ("settings", Settings),
        *[(name, c_void_p) for name in ("mean", "stddev", "deterministic", "stochastic")],
        *[(name, c_void_p) for name in ("noise", "latent_noise")],
        ("seed", c_int32 * 2),
        ("bfloat16", c_int32),
        *[(name, c_void_p) for name in ("returns", "shortage", "workspace")],
    ]


def nvcc_command(library: Path) -> list[str]:
    return shared.nvcc_command(library, SOURCES)


def emulation_command(library: Path) -> list[str]:
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-ffp-contract=off", "-fPIC", "-shared"]
    includes = [f"-I{ROOT}/tests/gpu/emulated", f"-I{ROOT}", "-DLOOKAHEAD_EMULATED"]
    return ["g++", *flags, *includes, "-x", "c++", *map(str, SOURCES), "-o", str(library)]


class Ensemble(ctypes.Structure):
    _fields_ = [
        *[(name, c_int64) for name in ("members", "rows")],
        ("sizes", c_int64 * (MAX_LAYERS + 1)),
        *[(name, c_int32) for name in ("num_layers", "activation", "bfloat16")],
    ]


class Device(shared.Device):
    """The launcher of a library."""

    def __init__(self, library: Path):
        self.library = ctypes.CDLL(str(library))
        self.library.lookahead_cem_cuda_error_text.restype = ctypes.c_char_p
        self.library.lookahead_cem_cuda_workspace.restype = c_int64
        self.library.lookahead_cem_cuda_ensemble_floats.restype = c_int64

    def check(self, error: int) -> None:
        if error:
            raise RuntimeError(self.library.lookahead_cem_cuda_error_text(error).decode())


class Plan:
    """A recorded problem on the device: `run` plans, `result` reads the plan back."""

    def __init__(self, device: Device, problem: dict[str, np.ndarray], bfloat16: bool = False):
        self.device, self.problem, self._kept = device, problem, {}
        plan = self.plan = LatentPlan(model=self._model(), settings=self._settings())
        plan.seed = (c_int32 * 2)(*(int(word) for word in problem["seed"]))
        plan.bfloat16 = bfloat16
        shape = problem["initial_mean"].shape
        for name in ("deterministic", "stochastic", "noise", "latent_noise"):
            setattr(plan, name, self._put(name) if name in problem else None)
        elites = (shape[0], int(problem["num_elites"]))
        for name, array in {
            "mean": np.zeros(shape, np.float32),
            "stddev": np.zeros(shape, np.float32),
            "returns": np.full(elites, np.nan, np.float32),
            "shortage": np.full(shape[0], -1, np.int32),
        }.items():
            setattr(plan, name, self._put(name, array))
        floats = device.library.lookahead_cem_cuda_workspace(ctypes.byref(plan))
        plan.workspace = self._put("workspace", np.full(floats, np.nan, np.float32))

    def launch(self) -> None:
        """Plans anew; returns before the device is done."""
        for name in ("mean", "stddev"):
            self._kept[name].write(self.problem[f"initial_{name}"])
        call = self.device.library.lookahead_cem_cuda_plan
        self.device.check(call(None, ctypes.byref(self.plan)))

    def result(self) -> dict[str, np.ndarray]:
        self.device.synchronize()
        return {name: self._kept[name].read() for name in ("mean", "stddev", "returns", "shortage")}

    def free(self) -> None:
        for array in self._kept.values():
            array.free()

    def _put(self, name: str, array: np.ndarray | None = None) -> int:
        array = self.problem[name] if array is None else array
        self._kept[name] = shared.DeviceArray(self.device, np.ascontiguousarray(array))
        return self._kept[name].pointer.value

    def _layers(self, part: str) -> list[Layer]:
        layers = []
        for i in range(int(self.problem[f"{part}_count"])):
            weights, bias = (f"{part}_{kind}_{i}" for kind in ("weights", "bias"))
            depth, width = self.problem[weights].shape
            layers.append(Layer(self._put(weights), self._put(bias), depth, width))
        return layers

    def _model(self) -> Model:
        problem = self.problem
        stacks = {}
        for part in ("input", "prior", "reward"):
            layers = self._layers(part)
            stacks[part] = Layers((Layer * MAX_LAYERS)(*layers), len(layers))
        model = Model(**stacks, action_weights=self._put("action_weights"))
        model.action_size = problem["action_weights"].shape[0]
        model.stochastic_size = problem["stochastic"].shape[1]
        model.deterministic_size = problem["deterministic"].shape[1]
        gates = self._layers("gru")
        model.has_gru = bool(gates)
        if gates:
            model.gru_input, model.gru_recurrent = gates
        model.activation = ACTIVATIONS.index(str(problem["activation"]))
        model.sample = bool(problem["sample"])
        last = stacks["prior"].layer[stacks["prior"].count - 1]
        model.prior_stddev = last.width == 2 * model.stochastic_size
        model.model_stddev = float(problem["model_min_stddev"])
        return model

    def _settings(self) -> Settings:
        problem = self.problem
        batch, horizon, _ = problem["initial_mean"].shape
        return Settings(
            batch=batch,
            candidates=int(problem["num_candidates"]),
            elites=int(problem["num_elites"]),
            horizon=horizon,
            iterations=int(problem["num_iterations"]),
            mean_absolute_deviation=bool(problem["mean_absolute_deviation"]),
            momentum=float(problem["momentum"]),
            min_stddev=float(problem["min_stddev"]),
            action_min=self._put("action_min"),
            action_max=self._put("action_max"),
        )


class Networks:
    """An ensemble on the device: packed once, then `launch` and `result`.

    inputs [E, N, in]; weights of each layer [E, in, out], biases [E, out].
    """

    def __init__(self, device: Device, inputs, weights, biases, activation: str, bfloat16: bool):
        self.device = device
        members, rows, size = inputs.shape
        sizes = [size, *(layer.shape[2] for layer in weights)]
        self.ensemble = Ensemble(
            members=members, rows=rows, sizes=(c_int64 * (MAX_LAYERS + 1))(*sizes),
            num_layers=len(weights), activation=ACTIVATIONS.index(activation), bfloat16=bfloat16,
        )  # fmt: skip
        floats = device.library.lookahead_cem_cuda_ensemble_floats(ctypes.byref(self.ensemble))
        packed = np.full([members, floats], np.nan, np.float32)
        outputs = np.full([members, rows, sizes[-1]], np.nan, np.float32)
        arrays = (packed, inputs, outputs, *weights, *biases)
        self._kept = [shared.DeviceArray(device, np.ascontiguousarray(a)) for a in arrays]
        places = [array.pointer.value for array in self._kept[3:]]
        pointers = c_void_p * len(weights)
        layers = (pointers(*places[: len(weights)]), pointers(*places[len(weights) :]))
        call = device.library.lookahead_cem_cuda_pack_ensemble
        device.check(call(None, ctypes.byref(self.ensemble), *layers, self._kept[0].pointer))

    def launch(self) -> None:
        call = self.device.library.lookahead_cem_cuda_ensemble
        places = [array.pointer for array in self._kept[:3]]
        self.device.check(call(None, ctypes.byref(self.ensemble), *places))

    def result(self) -> np.ndarray:
        self.device.synchronize()
        return self._kept[2].read()

    def free(self) -> None:
        for array in self._kept:
            array.free()


def replay(device: Device, problem: dict[str, np.ndarray]) -> None:
    """Plans a recorded problem; raises AssertionError where it differs from the CPU's plan."""
    result = planned(device, problem)
    np.testing.assert_array_equal(result["shortage"], problem["shortage"])
    whole = problem["shortage"] == 0
    for name in ("mean", "stddev"):
        np.testing.assert_allclose(result[name][whole], problem[name][whole], atol=1e-3)
    returns = (plan["returns"][whole] for plan in (result, problem))
    np.testing.assert_allclose(*returns, rtol=1e-3, atol=1e-3)


def replay_once(device: Device, problem: dict[str, np.ndarray]) -> None:
    """One iteration in bfloat16 beside float32: the elites' returns must be close.

    A whole search would not do: rounding swaps a few elites, and a small search follows them.
    """
    once = {**problem, "num_iterations": np.asarray(1)}
    rounded, exact = (planned(device, once, bfloat16) for bfloat16 in (True, False))
    np.testing.assert_array_equal(rounded["shortage"], exact["shortage"])
    returns = (plan["returns"] for plan in (rounded, exact))
    np.testing.assert_allclose(*returns, rtol=0, atol=0.03 * np.abs(exact["returns"]).max())


def planned(
    device: Device, problem: dict[str, np.ndarray], bfloat16: bool = False
) -> dict[str, np.ndarray]:
    plan = Plan(device, problem, bfloat16)
    plan.launch()
    result = plan.result()
    plan.free()
    return result
