"""Protects the CUDA kernels: their own source, lane for lane on the host, against the CPU's."""

from __future__ import annotations

import ctypes
import shutil

import numpy as np
import pytest
from tensorflow.python.framework import kernels

from ops import loader
from tests.gpu import cem_harness as harness
from tests.ops.cem.ensembles import NUMPY, in_float64, problem

RECORDINGS = sorted(harness.RECORDINGS.glob("*.npz"))


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    library = tmp_path_factory.mktemp("emulated") / "cem.so"
    return harness.Device(harness.shared.build(harness.emulation_command(library)))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_kernels_plan_as_the_cpu_does(device, path):
    harness.replay(device, dict(np.load(path)))


@pytest.mark.parametrize("processors", [4, 5], ids=["wide_tiles", "narrow_tiles"])
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_bfloat16_rounds_and_no_more(device, path, processors: int, monkeypatch):
    monkeypatch.setenv("LOOKAHEAD_EMULATED_PROCESSORS", str(processors))
    harness.replay_once(device, dict(np.load(path)))


def test_units_that_do_nothing_change_no_plan(device):
    """So wide that only tiles of eight candidates fit in a block's memory."""
    problem = dict(np.load(harness.RECORDINGS / "ssm_swish.npz"))
    harness.replay(device, widened(problem, 2000))


def widened(problem: dict[str, np.ndarray], width: int) -> dict[str, np.ndarray]:
    """The first reward layer with zero weights for more units, up to `width`."""
    more = width - problem["reward_bias_0"].size
    fill = {
        "reward_weights_0": [(0, 0), (0, more)],
        "reward_bias_0": [(0, more)],
        "reward_weights_1": [(0, more), (0, 0)],
    }
    return {**problem, **{name: np.pad(problem[name], pads) for name, pads in fill.items()}}


def test_the_recordings_cover_every_model_and_a_shortage():
    recordings = [np.load(path) for path in RECORDINGS]
    assert {str(r["activation"]) for r in recordings} == {"relu", "elu", "swish"}
    assert {bool(r["sample"]) for r in recordings} == {True, False}
    assert {int(r["gru_count"]) for r in recordings} == {0, 2}
    assert {"noise" in r.files for r in recordings} == {True, False}
    assert max(int(r["shortage"].max()) for r in recordings) == 2


def test_a_model_too_wide_for_a_block_is_refused(device):
    problem = dict(np.load(harness.RECORDINGS / "ssm_swish.npz"))
    plan = harness.Plan(device, widened(problem, 40_000))
    with pytest.raises(RuntimeError, match="too wide"):
        plan.launch()
    plan.free()


@pytest.mark.parametrize("bfloat16", [False, True])
@pytest.mark.parametrize("activation", NUMPY)
@pytest.mark.parametrize("sizes, rows", [((6, 40, 33, 9), 70), ((3, 7, 2), 200), ((1, 1), 1)])
def test_the_kernels_ask_an_ensemble(device, sizes, rows, activation: str, bfloat16: bool):
    inputs, weights, biases = problem(rows, 3, rows, sizes)
    networks = harness.Networks(device, inputs, weights, biases, activation, bfloat16)
    networks.launch()
    found = networks.result()
    networks.free()
    expected = in_float64(inputs, weights, biases, activation)
    rtol, atol = (0.05, 0.05) if bfloat16 else (1e-5, 2e-5)
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=atol)


def test_nvcc_compiles_the_kernels(tmp_path, device):
    """For sm_80 and sm_90, without a warning; without nvcc, the emulation has compiled them."""
    if shutil.which("nvcc") is None:
        assert device.library.lookahead_cem_cuda_plan
        return
    command = harness.nvcc_command(tmp_path / "cem_cuda.so")
    library = harness.shared.build([*command[:-2], "-Werror", "all-warnings", *command[-2:]])
    assert library.stat().st_size > 0


def test_the_op_plans_on_gpus_where_the_library_holds_the_launchers():
    loader.load("cem")
    library = ctypes.CDLL(str(loader.path_of("cem")))
    registered = kernels.get_registered_kernels_for_op("LookaheadCemPlanLatent").kernel
    devices = {kernel.device_type for kernel in registered}
    assert devices == ({"CPU", "GPU"} if hasattr(library, "lookahead_cem_cuda_plan") else {"CPU"})
