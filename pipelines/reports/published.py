"""Results that others have published, for tables that set them beside what was measured here.

Of the control suite: Hafner, Lillicrap, Fischer, Villegas, Ha, Lee, Davidson, "Learning Latent
Dynamics for Planning from Pixels", 2019, Table 1. Of Atari: Schrittwieser et al., "Mastering Atari,
Go, chess and shogi by planning with a learned model", 2020, Table 1. Both as quoted in Lillicrap's
lecture. Never printed as this project's own.
"""

from __future__ import annotations

from typing import NamedTuple

_SUITE = "dm_control/"
SOURCE = "Hafner et al. 2019, Table 1; episodes of 1000 simulator steps"

TASKS = (
    "cartpole_balance",
    "cartpole_swingup",
    "finger_spin",
    "cheetah_run",
    "ball_in_cup_catch",
    "walker_walk",
)


class Row(NamedTuple):
    """A published method.

    Attributes:
      method: its name.
      data: what it learned from.
      returns: one for each of `TASKS`.
    """

    method: str
    data: str
    returns: tuple[float, ...]


ROWS = (
    Row("A3C", "100 000 episodes, states", (952, 558, 129, 214, 105, 311)),
    Row("D4PG", "100 000 episodes, pixels", (993, 862, 985, 524, 980, 968)),
    Row("PlaNet", "2 000 episodes, pixels", (986, 831, 744, 650, 914, 890)),
    Row("CEM + true simulator", "none, true states", (998, 850, 825, 656, 993, 994)),
)


def at(environment: str) -> list[tuple[Row, float]]:
    """Methods, with what they earn in an environment; none where nothing is published."""
    task = environment.removeprefix(_SUITE)
    if not environment.startswith(_SUITE) or task not in TASKS:
        return []
    return [(row, row.returns[TASKS.index(task)]) for row in ROWS]


# "Data efficiency gain PlaNet over D4PG (factor)", the lecture's table; one for each of `TASKS`.
EFFICIENCY = ("100", "180", "16", "over 50", "20", "11")


def efficiency(environment: str) -> str | None:
    """Factor by which PlaNet needs fewer episodes than D4PG; None where nothing is published."""
    task = environment.removeprefix(_SUITE)
    if not environment.startswith(_SUITE) or task not in TASKS:
        return None
    return EFFICIENCY[TASKS.index(task)]


ATARI_SOURCE = "Schrittwieser et al. 2020, Table 1; 57 games"


class AtariRow(NamedTuple):
    """A published method over the 57 games.

    Attributes:
      method: its name.
      frames: that it learned from in each.
      median, mean: human-normalised, percent; None: not published.
    """

    method: str
    frames: str
    median: float
    mean: float | None


ATARI_ROWS = (
    AtariRow("Ape-X", "22.8 billion", 434.1, 1695.6),
    AtariRow("R2D2", "37.5 billion", 1920.6, 4024.9),
    AtariRow("MuZero", "20.0 billion", 2041.1, 4999.2),
    AtariRow("IMPALA", "200 million", 191.8, 957.6),
    AtariRow("Rainbow", "200 million", 231.1, None),
    AtariRow("UNREAL", "250 million", 250.0, 880.0),
    AtariRow("LASER", "200 million", 431.0, None),
    AtariRow("MuZero Reanalyze", "200 million", 731.1, 2168.9),
)
