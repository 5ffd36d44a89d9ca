"""Small episodes, a table that takes them and a server in another process, for tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import dm_env
import numpy as np
import reverb
import tensorflow as tf
import tree
from acme import specs
from acme.adders import reverb as adders

from agents.tables import make_table
from agents.types import Trajectory
from pipelines.replay.adders import EpisodeBuffer
from pipelines.replay.client import Client

TABLE = "replay"
T = 5
SHAPE = (8, 8, 3)

_SPEC = specs.EnvironmentSpec(
    observations=specs.BoundedArray(SHAPE, np.uint8, 0, 255),
    actions=specs.BoundedArray((2,), np.float32, -1, 1),
    rewards=specs.Array((), np.float32),
    discounts=specs.BoundedArray((), np.float32, 0, 1),
)

_SERVER = """
import sys
from tests.pipelines import episodes
import reverb
server = reverb.Server([episodes.table()], port=int(sys.argv[1]))
print("ready", flush=True)
server.wait()
"""


def table(max_size: int = 1000, **options) -> reverb.Table:
    signature = adders.SequenceAdder.signature(_SPEC, sequence_length=T)
    return make_table(TABLE, signature, max_size, **options)


def buffer(client: Client, period: int = T) -> EpisodeBuffer:
    return EpisodeBuffer(adders.SequenceAdder(client, T, period, priority_fns={TABLE: None}))


def whole_table(sampler: str = "ring", **options) -> reverb.Table:
    """A table of whole episodes, read round by round."""
    signature = adders.EpisodeAdder.signature(_SPEC)
    return make_table(TABLE, signature, 1000, sampler=sampler, **options)


def whole_buffer(client: Client) -> EpisodeBuffer:
    return EpisodeBuffer(adders.EpisodeAdder(client, 100, priority_fns={TABLE: None}))


def uneven_table(max_size: int = 1000, **options) -> reverb.Table:
    """A table of items of two observations and three rewards."""
    spec = lambda length, *shape: tf.TensorSpec([length, *shape], tf.float32)  # noqa: E731
    signature = Trajectory(spec(2, 1), spec(3), spec(3), spec(3), spec(3))
    return make_table(TABLE, signature, max_size, **options)


def add_uneven(client: Client, priorities: Sequence[float]) -> None:
    """Writes an item for each priority; observations and rewards count up from 0, 10, 20 …"""
    writer = client.trajectory_writer(num_keep_alive_refs=3)
    for i, priority in enumerate(priorities):
        for t in range(3):
            number = np.float32(10 * i + t)
            writer.append(Trajectory(number[None], number, number, number, number))
        observations, *others = tree.flatten(writer.history)
        item = Trajectory(observations[:2], *(column[:] for column in others))
        writer.create_item(TABLE, priority, item)
        writer.end_episode()


def steps(actions: int, terminal: bool = True, value: int = 0) -> list[dm_env.TimeStep]:
    """An episode whose frames and rewards count up from `value`."""
    frames = [np.full(SHAPE, value + t, np.uint8) for t in range(actions + 1)]
    episode = [dm_env.TimeStep(dm_env.StepType.FIRST, None, None, frames[0])]
    for t in range(1, actions + 1):
        last = t == actions
        kind = dm_env.StepType.LAST if last else dm_env.StepType.MID
        discount = np.float32(0 if last and terminal else 1)
        episode.append(dm_env.TimeStep(kind, np.float32(value + t), discount, frames[t]))
    return episode


def add_episode(adder, actions: int, terminal: bool = True, value: int = 0) -> None:
    first, *rest = steps(actions, terminal, value)
    adder.add_first(first)
    for t, timestep in enumerate(rest):
        adder.add(np.full(2, value + t, np.float32), timestep)


def items(client: Client, count: int) -> list:
    """The items of a first-in-first-out table that drops what was sampled, in their order."""
    return [sample.data for sample in client.sample_items(TABLE, count)]


@contextlib.contextmanager
def server_process(port: int) -> Iterator[subprocess.Popen]:
    """A server in another process, which a test may kill."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
