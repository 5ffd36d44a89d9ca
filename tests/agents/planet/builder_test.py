"""What PlaNet's builder writes to the table and draws from it."""

from __future__ import annotations

import dm_env
import numpy as np
import reverb

from pipelines.replay.client import Client
from tests.agents.planet import tiny

LENGTH = 4


def test_chunks_are_drawn_in_proportion_to_a_power_of_their_return():
    """Episodes of return 6 and 3: with exponent 2 their chunks are drawn four to one."""
    builder, _ = tiny.builder_and_networks(
        sequence_length=LENGTH, replay_sampler="return", replay_exponent=2.0
    )
    (table,) = builder.make_tables(tiny.SPEC)
    server = reverb.Server([table])
    client = Client(f"localhost:{server.port}")
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
