"""`bench.py replay`: batches of real episodes through table and dataset, with nobody learning."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import numpy as np
import tree

from agents.actor import Actor
from pipelines.acting.environment_loop import EnvironmentLoop
from pipelines.benchmarks import measured
from pipelines.benchmarks.measured import Result, Settings
from pipelines.launch.parts import make_role
from pipelines.replay.adders import EpisodeBuffer
from pipelines.replay.datasets import make_dataset
from pipelines.replay.server import Replay
from pipelines.system.errors import UserError

_EPISODES, _BATCHES = 10, 10


def run(settings: Settings) -> Iterator[Result]:
    """Plays some episodes at random, then reads."""
    who = measured.subject(settings.agent, settings.bindings)
    stage, options = who.stage, who.stage.dataset_options
    if options.batch_size is None:
        raise UserError(f"{who.builder.name} reads whole tables; expected one that reads batches")
    if options.queue:
        raise UserError(f"{who.builder.name} reads a queue; expected an agent with a replay")
    replay = Replay(stage.make_tables(who.spec))
    adder = EpisodeBuffer(stage.make_adder(replay.client))
    policy = stage.make_seed_policy(who.spec)
    if policy is None:
        networks, role = who.parts.networks(who.spec), make_role(who.environment)
        policy = stage.make_policy(networks, who.spec, role)
    actor = Actor(policy, 1, 0, [adder], stage.extras)
    EnvironmentLoop(who.environment).run(actor, _EPISODES)
    iterator = iter(make_dataset(replay.address, options))
    batch = next(iterator)
    seconds = measured.timed(lambda: [next(iterator) for _ in range(_BATCHES)], settings.repeats)
    frames = tree.flatten(measured.field(batch, "observation"))
    megabytes = sum(np.prod(leaf.shape) * leaf.dtype.size for leaf in frames) / 1e6
    rates = [_BATCHES / s for s in seconds]
    yield {
        "benchmark": "replay",
        "agent": who.builder.name,
        "batch": options.batch_size,
        "length": measured.length_of(batch),
        **measured.spread("batches_per_second", rates),
        "megabytes_per_second": float(statistics.median(rates) * megabytes),
    }
    replay.close()
