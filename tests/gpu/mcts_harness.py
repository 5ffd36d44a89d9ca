"""Drives the CUDA launchers of ops/mcts by ctypes: NumPy alone, no TensorFlow.

A library for it is `build(...)`'s: by nvcc for a GPU, or by g++ with the emulation of `emulated/`,
which runs the same source lane for lane on the host.
"""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
from ctypes import c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (ROOT / "ops/mcts/cc/cuda/search.cu", ROOT / "tests/gpu/device_memory.cu")
RECORDINGS = ROOT / "tests" / "goldens" / "mcts_gpu"
ARCHITECTURES = (80, 90)
MAX_ROWS = 16


def _load_c_types():
    """ops/mcts/c_types.py by itself: the package around it imports TensorFlow."""
    spec = importlib.util.spec_from_file_location("c_types", ROOT / "ops/mcts/c_types.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


c_types = _load_c_types()


class RootNoise(ctypes.Structure):
    _fields_ = [
        ("gumbel", c_void_p),
        ("considered", c_void_p),
        ("num_rows", c_int64),
        ("num_columns", c_int64),
    ]


class Rows(ctypes.Structure):
    _fields_ = [
        ("whole", c_void_p),
        ("update", c_void_p),
        ("gathered", c_void_p),
        ("row_bytes", c_int64),
    ]


class Embeddings(ctypes.Structure):
    _fields_ = [("rows", Rows * MAX_ROWS), ("count", c_int32)]


class Answers(ctypes.Structure):
    _fields_ = [
        (name, c_void_p)
        for name in ("parent", "action", "reward", "discount", "prior_logits", "value")
    ]


def nvcc_command(library: Path, sources=SOURCES) -> list[str]:
    """As setup.py compiles the kernels."""
    codes = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in ARCHITECTURES]
    flags = ["-std=c++17", "-O3", "-fmad=false", "-shared", "-Xcompiler=-fPIC,-Wall,-Wextra"]
    return ["nvcc", *flags, *codes, f"-I{ROOT}", *map(str, sources), "-o", str(library)]


def emulation_command(library: Path, sources=SOURCES) -> list[str]:
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-ffp-contract=off", "-fPIC", "-shared"]
    includes = ["-D__CUDACC__", f"-I{ROOT}/tests/gpu/emulated", f"-I{ROOT}"]
    return ["g++", *flags, *includes, "-x", "c++", *map(str, sources), "-o", str(library)]


def build(command: list[str]) -> Path:
    """Runs a compiler; the library is its last argument."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return Path(command[-1])


class DeviceArray:
    """An array in the device's memory."""

    def __init__(self, device: Device, array: np.ndarray):
        self.device, self.shape, self.dtype = device, array.shape, array.dtype
        self.pointer = c_void_p()
        size = c_size_t(max(array.nbytes, 1))
        device.check(device.library.device_allocate(ctypes.byref(self.pointer), size))
        self.write(array)

    def write(self, array: np.ndarray) -> None:
        array = np.ascontiguousarray(array, self.dtype)
        assert array.shape == self.shape, (array.shape, self.shape)
        write = self.device.library.device_write
        self.device.check(write(self.pointer, c_void_p(array.ctypes.data), c_size_t(array.nbytes)))

    def read(self) -> np.ndarray:
        array = np.empty(self.shape, self.dtype)
        read = self.device.library.device_read
        self.device.check(read(c_void_p(array.ctypes.data), self.pointer, c_size_t(array.nbytes)))
        return array

    def free(self) -> None:
        self.device.check(self.device.library.device_free(self.pointer))


class Device:
    """The launchers of a library."""

    def __init__(self, library: Path):
        self.library = ctypes.CDLL(str(library))
        self.library.lookahead_mcts_cuda_error_text.restype = ctypes.c_char_p

    def check(self, error: int) -> None:
        if error:
            raise RuntimeError(self.library.lookahead_mcts_cuda_error_text(error).decode())

    def synchronize(self) -> None:
        self.check(self.library.device_synchronize())

    def launch(self, name: str, *arguments) -> None:
        """Calls a launcher on the default stream; structures go by reference."""
        plain = [
            ctypes.byref(a) if isinstance(a, ctypes.Structure) else
            a.pointer if isinstance(a, DeviceArray) else a
            for a in arguments
        ]  # fmt: skip
        self.check(getattr(self.library, f"lookahead_mcts_cuda_{name}")(None, *plain))


class DeviceForest:
    """A batch of trees on the device, with parts of embeddings; memory starts as NaN."""

    def __init__(self, device: Device, batch: int, num_nodes: int, num_actions: int, parts=()):
        self.device, self.batch, self.num_actions = device, batch, num_actions
        shapes = ((batch, num_nodes, 8), (batch, num_nodes, 6, num_actions), (batch, 3))
        arrays = (DeviceArray(device, np.full(s, np.nan, np.float32)) for s in shapes)
        self.nodes, self.edges, self.stats = arrays
        pointers = (
            ctypes.cast(a.pointer, ctypes.POINTER(ctypes.c_float))
            for a in (self.nodes, self.edges, self.stats)
        )
        self.forest = c_types.Forest(*pointers, batch, num_nodes, num_actions)
        self.parts = [
            tuple(DeviceArray(device, a) for a in (np.repeat(p[:, None], num_nodes, 1), p, p * 0))
            for p in parts
        ]
        rows = [
            Rows(*(a.pointer.value for a in part), int(np.prod(p.shape[1:])) * p.itemsize)
            for part, p in zip(self.parts, parts, strict=True)
        ]
        self.embeddings = Embeddings((Rows * MAX_ROWS)(*rows), len(rows))
        zeros = np.zeros(batch, np.int32)
        self.parent, self.action, self.leaf = (DeviceArray(device, zeros) for _ in range(3))
        vector, matrix = np.zeros(batch, np.float32), np.zeros((batch, num_actions), np.float32)
        self.said = {
            name: DeviceArray(device, matrix if name == "prior_logits" else vector)
            for name in ("reward", "discount", "prior_logits", "value")
        }
        said = {name: array.pointer.value for name, array in self.said.items()}
        self.answers = Answers(
            parent=self.parent.pointer.value, action=self.action.pointer.value, **said
        )

    def plant(self, prior_logits: np.ndarray, value: np.ndarray, rows=()) -> None:
        self.said["prior_logits"].write(prior_logits)
        self.said["value"].write(value)
        self._update(rows)
        arrays = (self.said["prior_logits"], self.said["value"])
        self.device.launch("plant", self.forest, *arrays, self.embeddings)

    def simulate(self, rule, noise: RootNoise, parameters: np.ndarray | None = None) -> None:
        """Walks down; `parameters` [B, 9] are each tree's own."""
        own = None if parameters is None else DeviceArray(self.device, parameters)
        arrays = (own, noise, self.embeddings, self.parent, self.action)
        self.device.launch("simulate", self.forest, rule, *arrays)
        if own is not None:
            own.free()

    def expand(self, answer: dict[str, np.ndarray], rows=(), backward: bool = True) -> None:
        for name, array in answer.items():
            self.said[name].write(array)
        self._update(rows)
        arrays = (self.answers, self.embeddings, c_int32(backward), self.leaf)
        self.device.launch("expand", self.forest, *arrays)

    def backward(self) -> None:
        self.device.launch("backward", self.forest, self.leaf)

    def gathered(self) -> list[np.ndarray]:
        """The parents' rows of each part."""
        return [part[2].read() for part in self.parts]

    def free(self) -> None:
        arrays = (self.nodes, self.edges, self.stats, self.parent, self.action, self.leaf)
        for array in (*arrays, *self.said.values(), *(a for part in self.parts for a in part)):
            array.free()

    def _update(self, rows) -> None:
        for (_, update, _), row in zip(self.parts, rows, strict=True):
            update.write(row)


def embedding_rows(state: np.ndarray) -> list[np.ndarray]:
    """A state [B] as parts of 4, 16, 3 and 20 bytes: every way a row is copied."""
    wide = state[:, None].astype(np.int32)
    return [
        state.astype(np.int32),
        np.tile(wide, 4),
        np.tile(wide, 3).astype(np.uint8),
        np.tile(wide, 5),
    ]


def answer_of(tables, state: np.ndarray, action: np.ndarray):
    """The tabular model: the answer for each tree, and the states after."""
    after = tables["next_state"][state, action]
    answer = {key: tables[key][state, action] for key in ("reward", "discount")}
    return answer | {key: tables[key][after] for key in ("prior_logits", "value")}, after


def rule_of(recording) -> c_types.Rule:
    values = {key[5:]: recording[key].item() for key in recording.files if key.startswith("rule_")}
    return c_types.rule(**values)


def replay(device: Device, recording, atol: float = 2e-5) -> None:
    """Runs a recorded search; raises AssertionError where it differs from the CPU's."""
    state = recording["root_state"]
    batch, num_simulations = len(state), len(recording["parent"])
    logits = recording["root_logits"]
    parts = embedding_rows(state)
    forest = DeviceForest(device, batch, num_simulations + 1, logits.shape[1], parts)
    gumbel, considered = (DeviceArray(device, recording[k]) for k in ("gumbel", "considered"))
    noise = RootNoise(gumbel.pointer.value, considered.pointer.value, *considered.shape)
    rule = rule_of(recording)
    forest.plant(logits, recording["value"][state], parts)
    for i in range(num_simulations):
        forest.simulate(rule, noise)
        for name in ("parent", "action"):
            wanted = recording[name][i]
            np.testing.assert_array_equal(getattr(forest, name).read(), wanted, f"{name} {i}")
        rows = forest.gathered()
        for row, wanted in zip(rows, embedding_rows(rows[0]), strict=True):
            np.testing.assert_array_equal(row, wanted, f"embeddings at {i}")
        answer, after = answer_of(recording, rows[0], recording["action"][i])
        forest.expand(answer, embedding_rows(after))
    _compare(recording, forest.nodes.read(), forest.edges.read(), forest.stats.read(), atol)
    for array in (gumbel, considered, forest):
        array.free()


def _compare(recording, nodes, edges, stats, atol) -> None:
    """The trees that a search left: what nodes hold, the root's edges, the statistics."""
    made = recording["made"]
    for field in recording["float_fields"]:
        wanted = recording["nodes"][..., field][made]
        np.testing.assert_allclose(nodes[..., field][made], wanted, atol=atol, rtol=0)
    for field in recording["bit_fields"]:
        wanted = np.ascontiguousarray(recording["nodes"][..., field]).view(np.int32)[made]
        got = np.ascontiguousarray(nodes[..., field]).view(np.int32)[made]
        np.testing.assert_array_equal(got, wanted)
    known = recording["root_known"]
    np.testing.assert_allclose(edges[:, 0][known], recording["root_edges"][known], atol=atol)
    np.testing.assert_allclose(stats, recording["stats"], atol=atol)
