"""A policy that searches on the host is served as the network that it is."""

from __future__ import annotations

import numpy as np

from pipelines.server.loaded import ROWS, LoadedPolicy
from tests.pipelines.engines.host_policy_test import saved


def test_its_network_moves_and_the_server_knows(tmp_path):
    logdir = saved(tmp_path, "breakthrough(rows=5,columns=4)")
    policy = LoadedPolicy(logdir / "policy" / "best")
    assert policy.network_alone and "evaluate" not in policy.signatures
    assert "evaluate" not in policy.signature_definitions().signature_def
    inputs = policy.signatures[ROWS].inputs
    legal = np.zeros((2, *inputs["observation_legal_actions"].shape[1:]), bool)
    legal[0, 5] = legal[1, 7] = True
    board = np.ones((2, *inputs["observation_board"].shape[1:]), np.float32)
    shown = {"observation_board": board, "observation_legal_actions": legal}
    outputs = policy.call(ROWS, {**shown, "seed": np.zeros((2, 2), np.int32)})
    np.testing.assert_array_equal(outputs["action"], [5, 7])
    np.testing.assert_allclose(outputs["info_prior"][[0, 1], [5, 7]], [1, 1], atol=1e-6)
