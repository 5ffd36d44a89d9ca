"""What PlaNet's builder writes to the table and draws from it."""

from __future__ import annotations

import dm_env
import numpy as np
import reverb
import tensorflow as tf

from agents.planet.learning import align
from agents.types import Trajectory
from pipelines.replay.client import Client
from tests.agents.planet import tiny

LENGTH = 4


def test_short_episodes_are_padded_beside_long_ones_and_learned_from():
    """Episodes of 3 and 9 steps where a sequence has 8 rows: one item, and three."""
    builder, networks = tiny.builder_and_networks(sequence_length=8)
    (table,) = builder.make_tables(tiny.SPEC)
    server = reverb.Server([table])
    client = Client(f"127.0.0.1:{server.port}")
    adder, rng = builder.make_adder(client), np.random.RandomState(0)
    for length in (3, 9, 1):
        adder.add_first(dm_env.restart(tiny.pixels(rng)))
        for t in range(1, length + 1):
            kind = dm_env.StepType.LAST if t == length else dm_env.StepType.MID
            step = dm_env.TimeStep(kind, np.float32(t), np.float32(1), tiny.pixels(rng))
            adder.add(np.full(tiny.ACTION_SIZE, 0.5, np.float32), step)
    assert client.server_info()[table.name].current_size == 1 + 3 + 1
    items = [Trajectory(*item.data) for item in client.sample_items(table.name, 60)]
    server.stop()
    whole, of_three, of_one = [8, 4, 2]  # Rows that are no padding.
    by_rows = {rows_of(item): item for item in items}
    assert set(by_rows) == {whole, of_three, of_one}
    short = by_rows[of_three]
    np.testing.assert_array_equal(short.reward, [1, 2, 3, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(short.action[:, 0], [0.5] * 3 + [0] * 5)
    assert np.all(short.observation[:4].max(axis=(1, 2, 3)) > 0) and not short.observation[4:].any()

    batch = tf.nest.map_structure(lambda *x: tf.constant(np.stack(x)), *by_rows.values())
    metrics = builder.make_learner(networks, seed=0).step(batch).metrics
    assert all(np.isfinite(value) for value in metrics.values()), metrics


def rows_of(item: Trajectory) -> int:
    batch = tf.nest.map_structure(lambda values: tf.constant(values)[None], item)
    return int(align(batch).known.numpy().sum())


def test_chunks_are_drawn_in_proportion_to_a_power_of_their_return():
    """Episodes of return 6 and 3: with exponent 2 their chunks are drawn four to one."""
    builder, _ = tiny.builder_and_networks(
        sequence_length=LENGTH, replay_sampler="return", replay_exponent=2.0
    )
    (table,) = builder.make_tables(tiny.SPEC)
    server = reverb.Server([table])
    client = Client(f"127.0.0.1:{server.port}")
    pixels = np.zeros([tiny.SIZE, tiny.SIZE, 3], np.uint8)
    for total in (6.0, 3.0):
        adder = builder.make_adder(client)
        adder.add_first(dm_env.restart(pixels))
        for step in range(LENGTH):
            reward, discount = np.float32(total / LENGTH), np.float32(1.0)
            kind = dm_env.StepType.LAST if step == LENGTH - 1 else dm_env.StepType.MID
            timestep = dm_env.TimeStep(kind, reward, discount, pixels)
            adder.add(np.zeros(tiny.ACTION_SIZE, np.float32), timestep)
    # The last observation makes a second chunk, without the episode's first reward.
    squares = {6.0: 36.0, 4.5: 20.25, 3.0: 9.0, 2.25: 5.0625}
    drawn = [item.info.priority for item in client.sample_items(table.name, 400)]
    for priority, square in squares.items():
        share, expected = drawn.count(priority) / len(drawn), square / sum(squares.values())
        error = np.sqrt(expected * (1 - expected) / len(drawn))
        assert abs(share - expected) < 5 * error, (priority, share, expected)
    server.stop()
