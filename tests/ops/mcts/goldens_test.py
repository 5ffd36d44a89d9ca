"""Protects exactness: searches that mctx and a float64 search computed, on both backends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from ops import mcts
from tests.ops.mcts.models import TableModel

PATHS = sorted((Path(__file__).parents[2] / "goldens" / "mcts").glob("*.npz"))


def search(golden, backend):
    model, kind = TableModel(golden), str(golden["kind"])
    depth = int(golden["max_depth"])
    common = dict(
        num_simulations=int(golden["num_simulations"]),
        invalid_actions=tf.constant(golden["invalid_actions"]),
        max_depth=None if depth < 0 else depth,
        seed=(1, 2),
        backend=backend,
    )
    root = model.root(tf.constant(golden["root_state"]))
    if kind == "gumbel":
        gumbel = tf.constant(golden["gumbel"])
        return mcts.gumbel_muzero_policy(root, model.step, gumbel=gumbel, **common)
    low, high = (float(bound) for bound in golden["bounds"])
    qtransform = {
        "parent_and_siblings": mcts.qtransform_by_parent_and_siblings(),
        "bounded": mcts.qtransform_by_min_max(low, high),
        "tree_min_max": mcts.qtransform_by_tree_min_max(),
    }[kind]
    noise = golden["noise"] if golden["noise"].size else None
    fraction = 0.0 if noise is None else float(golden["noise_fraction"])
    return mcts.muzero_policy(
        root,
        model.step,
        qtransform=qtransform,
        dirichlet_noise=noise,
        dirichlet_fraction=fraction,
        **common,
    )


@pytest.mark.parametrize("backend", ["native", "tensorflow"])
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_search_equals_the_golden(path, backend):
    golden = np.load(path)
    out = tf.function(lambda: search(golden, backend))()
    summary = out.search_tree.summary()
    visits = summary.visit_counts.numpy()
    np.testing.assert_array_equal(visits, golden["visit_counts"])
    qvalues = np.where(visits > 0, summary.qvalues.numpy(), 0.0)
    np.testing.assert_allclose(qvalues, golden["qvalues"], atol=2e-5)
    np.testing.assert_allclose(summary.value.numpy(), golden["root_value"], atol=2e-5)
    if "action" in golden:
        np.testing.assert_array_equal(out.action.numpy(), golden["action"])
        weights = golden["action_weights"]
        np.testing.assert_allclose(out.action_weights.numpy(), weights, atol=2e-5)
