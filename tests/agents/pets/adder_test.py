"""Protects what PETS writes: whole episodes, and long ones in pieces without a loss."""

from __future__ import annotations

import dm_env
import numpy as np
import pytest
import reverb
import tree
from acme import specs

from agents.builder import DatasetOptions
from agents.pets import PETSBuilder
from agents.pets.learning import newest_episode, transitions
from agents.types import Trajectory
from pipelines.replay.client import Client
from pipelines.replay.datasets import make_waiting_dataset
from tests.agents.pets.tiny import tiny

SPEC = specs.EnvironmentSpec(
    observations=specs.Array((2,), np.float32),
    actions=specs.BoundedArray((1,), np.float32, -1, 1),
    rewards=specs.Array((), np.float32),
    discounts=specs.BoundedArray((), np.float32, 0, 1),
)


@pytest.fixture
def written():
    """Writes episodes of those lengths with pieces of 3 steps; returns the table's items' rows."""
    builder = PETSBuilder(tiny(max_episode_steps=3))
    (table,) = builder.make_tables(SPEC)
    server = reverb.Server([table])
    client = Client(f"127.0.0.1:{server.port}")

    def write(lengths: list[int]) -> Trajectory:
        adder = builder.make_adder(client)
        for n, length in enumerate(lengths):
            adder.add_first(dm_env.restart(observation(n, 0)))
            for t in range(1, length + 1):
                kind = dm_env.StepType.LAST if t == length else dm_env.StepType.MID
                step = dm_env.TimeStep(kind, np.float32(t), np.float32(0.5), observation(n, t))
                adder.add(np.float32([0.1 * t]), step)
        return tree.map_structure(
            lambda x: x.numpy(),
            next(iter(make_waiting_dataset(client, DatasetOptions(table.name, None)))),
        )

    yield write
    server.stop()


def observation(n: int, t: int) -> np.ndarray:
    return np.array([n, t], np.float32)


def test_pieces_hold_every_transition_once(written):
    lengths = [7, 3, 1, 6]
    rows = written(lengths)
    expected = [(n, t) for n, length in enumerate(lengths) for t in range(length)]
    data = transitions(rows)
    np.testing.assert_array_equal(data.observation, expected)
    np.testing.assert_array_equal(data.following, [(n, t + 1) for n, t in expected])
    np.testing.assert_array_equal(data.reward, [t + 1 for _, t in expected])
    np.testing.assert_allclose(data.action[:, 0], [0.1 * (t + 1) for _, t in expected])


def test_a_piece_is_no_longer_than_asked_for_and_an_episode_that_fits_is_one(written):
    rows = written([7, 3])
    starts = np.flatnonzero(rows.start_of_episode)
    np.testing.assert_array_equal(starts, [0, 4, 8, 10])  # 3, 3 and 1 steps, then 3.
    np.testing.assert_array_equal(newest_episode(rows).observation[:, 0], [1, 1, 1, 1])
