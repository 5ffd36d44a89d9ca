"""How many collectors one learner feeds on, and what gives out first: arithmetic of measured rates.

Every environment step asks a share of a collector, of the learner, of the replay server and of the
network. Whatever has the least room decides how many steps a second the whole run makes.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class System(NamedTuple):
    """What was measured of an agent and its environment (`bench.py capacity`).

    Attributes:
      actor_steps: environment steps a second of a collector that never waits.
      updates: a second of a learner that never waits.
      updates_per_step: of the schedule.
      written_bytes: that a step adds to replay, not compressed.
      read_bytes: that an update reads, not compressed.
      variable_bytes: of the variables that acting reads.
    """

    actor_steps: float
    updates: float
    updates_per_step: float
    written_bytes: float
    read_bytes: float
    variable_bytes: float


class Machines(NamedTuple):
    """What a run is given.

    Attributes:
      replay_bytes: that a replay server takes and gives a second, all clients together; what one
        core of a server came to (results/distributed.md).
      network_bytes: that the learner's machine receives or sends a second.
      actors_each: collectors on one machine.
      variable_seconds: `Distributed.variable_seconds`.
      learner_speedup: how many times as fast the learner is as the one that was measured.
      cores: that all processes share; None: each has its own.
      actor_seconds: of a core that a step costs a collector, where cores are shared; None: all of
        its time.
    """

    replay_bytes: float = 1.5e9
    network_bytes: float = 1.25e9  # 10 Gbit/s.
    actors_each: int = 16
    variable_seconds: float = 1.0
    learner_speedup: float = 1.0
    cores: float | None = None
    actor_seconds: float | None = None


class Prediction(NamedTuple):
    """What comes of a number of collectors.

    Attributes:
      steps, updates: a second, of the whole run.
      limit: what has no room left: 'actors', 'learner', 'replay', 'network' or 'cores'.
      version_seconds: between two versions of the variables at a collector.
    """

    steps: float
    updates: float
    limit: str
    version_seconds: float


def predict(system: System, machines: Machines, num_actors: int) -> Prediction:
    """Steps and updates a second with so many collectors."""
    rooms = {"actors": num_actors * system.actor_steps, **_rooms(system, machines)}
    limit = min(rooms, key=rooms.get)
    steps = rooms[limit]
    return Prediction(
        steps,
        steps * system.updates_per_step,
        limit,
        version_seconds(system, machines, num_actors),
    )


def actors_fed(system: System, machines: Machines) -> tuple[int, str]:
    """How many collectors have enough to do, and what gives out with one more."""
    rooms = _rooms(system, machines)
    limit = min(rooms, key=rooms.get)
    return max(1, math.floor(rooms[limit] / system.actor_steps)), limit


def version_seconds(system: System, machines: Machines, num_actors: int) -> float:
    """Variables go once to each machine, each time from the learner's."""
    receivers = math.ceil(num_actors / machines.actors_each)
    seconds = receivers * system.variable_bytes / machines.network_bytes
    return max(machines.variable_seconds, seconds)


def _rooms(system: System, machines: Machines) -> dict[str, float]:
    """Steps a second that each part has room for; the replay is on the learner's machine."""
    ratio, updates = system.updates_per_step, machines.learner_speedup * system.updates
    read = ratio * system.read_bytes
    rooms = {
        "learner": updates / ratio if ratio else math.inf,
        "replay": machines.replay_bytes / (system.written_bytes + read),
        "network": machines.network_bytes / system.written_bytes,
    }
    if machines.cores is not None:
        acting = machines.actor_seconds
        acting = 1 / system.actor_steps if acting is None else acting
        rooms["cores"] = machines.cores / (acting + ratio / updates)
    return rooms
