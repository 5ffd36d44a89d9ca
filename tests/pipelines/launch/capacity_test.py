"""Protects the arithmetic of a run: what gives out first, and how many collectors that is."""

from __future__ import annotations

import pytest

from pipelines.launch.distributed.capacity import Machines, System, actors_fed, predict

# Ten steps a second, an update of 50 ms each second step; a step writes 1 kB, an update reads 8.
SYSTEM = System(
    actor_steps=10.0,
    updates=20.0,
    updates_per_step=0.5,
    written_bytes=1e3,
    read_bytes=8e3,
    variable_bytes=5e6,
)


@pytest.mark.parametrize(
    ("machines", "num_actors", "steps", "limit"),
    [
        (Machines(), 3, 30.0, "actors"),
        (Machines(), 5, 40.0, "learner"),  # 20 updates a second are 40 steps.
        (Machines(learner_speedup=10.0), 5, 50.0, "actors"),
        (Machines(replay_bytes=1e5), 5, 20.0, "replay"),  # A step moves 1 + 8 / 2 kB.
        (Machines(network_bytes=2e4), 5, 20.0, "network"),
        (Machines(cores=1.0), 5, 8.0, "cores"),  # A step takes 100 ms and half of 50 ms.
        (Machines(cores=1.0, actor_seconds=0.025), 5, 20.0, "cores"),  # The rest of it is waiting.
    ],
)
def test_what_has_the_least_room_decides(machines, num_actors, steps, limit):
    prediction = predict(SYSTEM, machines, num_actors)
    assert (prediction.steps, prediction.limit) == (pytest.approx(steps), limit)
    assert prediction.updates == pytest.approx(steps / 2)


def test_collectors_that_a_learner_feeds_on():
    assert actors_fed(SYSTEM, Machines()) == (4, "learner")
    assert actors_fed(SYSTEM, Machines(learner_speedup=100.0)) == (400, "learner")
    assert actors_fed(SYSTEM, Machines(learner_speedup=1e9, replay_bytes=1e6)) == (20, "replay")
    assert actors_fed(SYSTEM._replace(updates=1e-3), Machines()) == (1, "learner")


def test_who_learns_nothing_is_held_back_by_bytes_alone():
    assert predict(SYSTEM._replace(updates_per_step=0.0), Machines(), 10**9).limit == "network"


def test_variables_reach_many_machines_later():
    machines = Machines(network_bytes=1e7, actors_each=2, variable_seconds=1.0)
    assert predict(SYSTEM, machines, 4).version_seconds == 1.0  # 5 MB to each of two.
    assert predict(SYSTEM, machines, 20).version_seconds == pytest.approx(5.0)
