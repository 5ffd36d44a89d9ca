"""Protects saved policies under any name, and folders that were removed from being made again."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from pipelines.serving.export import Exporter, SavedPolicy
from pipelines.system.errors import UserError
from tests.agents import board


@pytest.fixture(scope="module")
def exporter() -> Exporter:
    return Exporter(board.BoardPolicy())


def scores(directory: pathlib.Path) -> np.ndarray:
    """What the saved policy makes of two boards."""
    policy = SavedPolicy(directory)
    observation = {"board": tf.ones([2, 3, 3, 3]), "legal_actions": tf.ones([2, 9], tf.bool)}
    return policy.step(observation, policy.initial_state(2), tf.constant([0, 0]))[2]["scores"]


@pytest.mark.parametrize("name", ["lr=[1,2]", "a\\b", "s*r", "[!a]"])
def test_a_name_that_reads_as_a_pattern_is_only_a_name(exporter, tmp_path, name):
    """Also where the pattern fits a neighbour, whose policy is another."""
    policy = board.BoardPolicy()
    policy.weights.assign(tf.ones_like(policy.weights))
    for neighbour in ("lr=1", "ab", "star", "b"):
        (tmp_path / neighbour).mkdir()
        exporter.save(tmp_path / neighbour / "best")
    (tmp_path / name).mkdir()
    Exporter(policy).save(tmp_path / name / "best")
    np.testing.assert_array_equal(scores(tmp_path / name / "best"), np.full([2, 9], 27.0))
    assert not np.array_equal(scores(tmp_path / "star" / "best"), np.full([2, 9], 27.0))


def test_a_run_that_was_removed_is_told_and_not_made_again(exporter, tmp_path):
    expected = rf"^cannot write {tmp_path}/log/policy/best: {tmp_path}/log is gone$"
    with pytest.raises(UserError, match=expected):
        exporter.save(tmp_path / "log" / "policy" / "best")
    assert list(tmp_path.iterdir()) == []
