"""Protects the CUDA kernels: their own source, lane for lane on the host, against the CPU's."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest

from ops.mcts import c_types as types
from tests.gpu import mcts_harness as harness

RECORDINGS = sorted(harness.RECORDINGS.glob("*.npz"))
UNLIMITED = (1 << 31) - 1


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    library = tmp_path_factory.mktemp("emulated") / "mcts.so"
    return harness.Device(harness.build(harness.emulation_command(library)))


def puct(qtransform="tree_min_max", max_depth=UNLIMITED):
    return types.rule(
        "puct", qtransform, max_depth, 1.25, 19652.0, min_value=-1.0, max_value=1.0,
        fpu_reduction=-1.0, value_scale=0.1, maxvisit_init=50.0, rescale_values=1,
        use_mixed_value=1, epsilon=1e-8,
    )  # fmt: skip


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_the_kernels_search_as_the_cpu_does(device, path):
    harness.replay(device, np.load(path))


def test_the_recordings_cover_each_rule_and_wide_nodes():
    recordings = [np.load(path) for path in RECORDINGS]
    pairs = {(str(r["rule_kind"]), str(r["rule_qtransform"])) for r in recordings}
    assert pairs == {("puct", kind) for kind in types.QTRANSFORM_KINDS} | {
        ("gumbel", "completed_by_mix_value"),
        ("stochastic", "parent_and_siblings"),
        ("stochastic", "completed_by_mix_value"),
    }
    assert max(r["root_logits"].shape[1] for r in recordings) > 2 * 32
    expanded = [(r["root_edges"][:, 1] > 0).sum(-1).max() for r in recordings]
    assert max(expanded) > 32


def answer_for(batch, num_actions, **bad):
    answer = {key: np.zeros(batch, np.float32) for key in ("reward", "discount", "value")}
    answer["prior_logits"] = np.zeros((batch, num_actions), np.float32)
    for name, value in bad.items():
        answer[name][1] = value
    return answer


@pytest.mark.parametrize("bad, fault", [
    (dict(reward=np.nan), 3), (dict(discount=np.inf), 4), (dict(prior_logits=np.nan), 5),
    (dict(prior_logits=np.inf), 5), (dict(value=-np.inf), 6),
])  # fmt: skip
def test_a_fault_stays_in_its_tree(device, bad, fault):
    forest = harness.DeviceForest(device, 3, 5, 4)
    forest.plant(np.zeros((3, 4), np.float32), np.zeros(3, np.float32))
    for answer in (bad, {}, {}):
        forest.simulate(puct(), harness.RootNoise())
        forest.expand(answer_for(3, 4, **answer))
    stats = forest.stats.read()
    np.testing.assert_array_equal(stats[:, 0], [4, -fault, 4])
    np.testing.assert_array_equal(forest.nodes.read()[:, 0, 2], [4, 1, 4])


@pytest.mark.parametrize("logits, value, fault", [
    (np.nan, 0.0, 5), (0.0, np.inf, 6), (-np.inf, 0.0, 9)
])  # fmt: skip
def test_a_root_that_cannot_be_searched_is_a_fault(device, logits, value, fault):
    forest = harness.DeviceForest(device, 2, 3, 4)
    all_logits, values = np.zeros((2, 4), np.float32), np.zeros(2, np.float32)
    all_logits[1], values[1] = logits, value
    forest.plant(all_logits, values)
    forest.simulate(puct(), harness.RootNoise())
    assert forest.parent.read()[1] < 0
    forest.expand(answer_for(2, 4))
    np.testing.assert_array_equal(forest.stats.read()[:, 0], [2, -fault])


def test_a_tree_that_is_full_is_a_fault(device):
    forest = harness.DeviceForest(device, 2, 3, 4)
    forest.plant(np.zeros((2, 4), np.float32), np.zeros(2, np.float32))
    for _ in range(3):
        forest.simulate(puct(), harness.RootNoise())
        forest.expand(answer_for(2, 4))
    np.testing.assert_array_equal(forest.stats.read()[:, 0], -8)


def test_expand_and_backward_apart_are_the_same(device):
    recording = np.load(harness.RECORDINGS / "siblings.npz")
    trees = []
    for apart in (False, True):
        forest = harness.DeviceForest(device, 3, 9, 5)
        state = recording["root_state"]
        forest.plant(recording["root_logits"], recording["value"][state])
        for i in range(8):
            forest.simulate(harness.rule_of(recording), harness.RootNoise())
            answer, _ = harness.answer_of(recording, (state + i) % 30, forest.action.read())
            forest.expand(answer, backward=not apart)
            if apart:
                forest.backward()
        trees.append((forest.nodes.read(), forest.stats.read()))
    for one, other in zip(*trees, strict=True):
        np.testing.assert_array_equal(one, other)


def test_more_trees_than_a_launch_gives_one_block_each(device):
    batch = 4099  # four warps a block, the last block not full
    forest = harness.DeviceForest(device, batch, 2, 2)
    logits = np.stack([np.arange(batch) % 2, np.full(batch, 0.5)], -1).astype(np.float32)
    forest.plant(logits, np.zeros(batch, np.float32))
    forest.simulate(puct(), harness.RootNoise())
    np.testing.assert_array_equal(forest.action.read(), 1 - np.arange(batch) % 2)


def test_garbage_trees_end_in_a_fault_or_an_answer(device):
    seed = 5
    print("seed", seed)
    rng = np.random.default_rng(seed)
    pool = np.array([-1, 0, 1, 2, 3, 4, 0.5, 1e9, -1e9, np.nan, np.inf, -np.inf], np.float32)
    bits = np.array([0, 1, 2, 3, 65536, 65537, 131074, 196608, -1], np.int32).view(np.float32)
    forest = harness.DeviceForest(device, 8, 5, 3)
    noise_rows = (np.zeros((8, 3), np.float32), np.zeros((2, 4), np.float32))
    gumbel, considered = (harness.DeviceArray(device, rows) for rows in noise_rows)
    noise = harness.RootNoise(gumbel.pointer.value, considered.pointer.value, 2, 4)
    answers = 0
    for trial in range(60):
        nodes = rng.choice(pool, (8, 5, 8))
        nodes[..., [1, 7]] = rng.choice(bits, (8, 5, 2))
        forest.nodes.write(nodes)
        forest.edges.write(rng.choice(pool, (8, 5, 6, 3)))
        forest.stats.write(rng.choice(pool, (8, 3)))
        rule = puct(types.QTRANSFORM_KINDS[trial % 4], 100)
        rule.kind, rule.first_outcome = trial % 3, 2
        forest.simulate(rule, noise)
        parent, action = forest.parent.read(), forest.action.read()
        assert ((parent >= -10) & (parent < 5) & (action >= 0) & (action < 3)).all()
        answers += (parent >= 0).sum()
        forest.parent.write(rng.integers(-12, 7, 8, np.int32))
        forest.action.write(rng.integers(-2, 5, 8, np.int32))
        forest.expand(answer_for(8, 3))
        leaf = forest.leaf.read()
        assert ((leaf >= 0) & (leaf < 5)).all()
    assert answers > 0


def test_nvcc_compiles_the_kernels(tmp_path, device):
    """For sm_80 and sm_90, without a warning; without nvcc, the emulation has compiled them."""
    if shutil.which("nvcc") is None:
        assert device.library.lookahead_mcts_cuda_simulate
        return
    command = harness.nvcc_command(tmp_path / "mcts_cuda.so")
    command.insert(1, "-Werror=all-warnings")
    library = harness.Device(harness.build(command)).library
    assert library.lookahead_mcts_cuda_expand


def test_the_kernels_see_no_header_of_tensorflow():
    command = harness.emulation_command("unused", harness.SOURCES[:1])
    command[command.index("-o") :] = ["-M"]
    headers = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "ops/mcts/cc/kernels/formulas.h" in headers
    assert "tensorflow" not in headers
