"""Protects the CUDA kernels: their own source, a thread a block on the host, against the CPU's."""

from __future__ import annotations

import ctypes
import shutil

import numpy as np
import pytest
from tensorflow.python.framework import kernels

from ops import loader
from tests.gpu import cem_harness as harness

RECORDINGS = sorted(harness.RECORDINGS.glob("*.npz"))


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    library = tmp_path_factory.mktemp("emulated") / "cem.so"
    return harness.Device(harness.shared.build(harness.emulation_command(library)))


@pytest.mark.parametrize("tensor_cores", [False, True])
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_kernels_plan_as_the_cpu_does(device, path, tensor_cores: bool):
    harness.replay(device, dict(np.load(path)), tensor_cores)


def test_the_recordings_cover_every_model_and_a_shortage():
    recordings = [np.load(path) for path in RECORDINGS]
    assert {str(r["activation"]) for r in recordings} == {"relu", "elu", "swish"}
    assert {bool(r["sample"]) for r in recordings} == {True, False}
    assert {int(r["gru_count"]) for r in recordings} == {0, 2}
    assert {"noise" in r.files for r in recordings} == {True, False}
    assert max(int(r["shortage"].max()) for r in recordings) == 2


def test_a_model_too_wide_for_a_block_is_refused(device):
    problem = dict(np.load(harness.RECORDINGS / "ssm_swish.npz"))
    wide = 40_000
    problem["reward_weights_0"] = np.zeros([problem["reward_weights_0"].shape[0], wide], np.float32)
    problem["reward_bias_0"] = np.zeros(wide, np.float32)
    problem["reward_weights_1"] = np.zeros([wide, 1], np.float32)
    plan = harness.Plan(device, problem)
    with pytest.raises(RuntimeError, match="an error"):
        plan.launch()
    plan.free()


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
