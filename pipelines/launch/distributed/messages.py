"""What the processes of a distributed run tell each other; imports nothing that takes time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Setup(NamedTuple):
    """What every process makes its part from.

    Attributes:
      config: gin's, as text.
      logdir: of the run, on a disk that all machines share.
      seed: of the run.
      num_actors: K.
      public: the replay server answers other machines.
    """

    config: str
    logdir: str
    seed: int
    num_actors: int
    public: bool


class Joined(NamedTuple):
    """What an actor learns when it begins.

    Attributes:
      replay: 'host:port'.
      again: how often others before it have begun with the same rows.
      places: of the variables that acting reads, in the order of the networks' own.
    """

    replay: str
    again: int
    places: list[int]


class Report(NamedTuple):
    """What an actor did since it asked last.

    Attributes:
      steps: in the environments.
      episodes: return and length of each that ended.
      rows: of experience, a round's in each environment counted as one.
      metrics: by name.
    """

    steps: int = 0
    episodes: list[tuple[float, int]] = []  # noqa: RUF012
    rows: int = 0
    metrics: Mapping[str, float] = {}


class Order(NamedTuple):
    """What an actor does next.

    Attributes:
      over: nothing more.
      wait: ask again; the learner is behind.
      seeding: the seed policy acts.
      version: updates behind the newest variables.
      variables: reference to their values; None: the actor has them.
    """

    over: bool = False
    wait: bool = False
    seeding: bool = False
    version: int = -1
    variables: Any = None


class Task(NamedTuple):
    """An evaluation that is due.

    Attributes:
      position: step or episode of the run.
      updates: behind the variables.
      variables: reference to the values of all of them.
    """

    position: int
    updates: int
    variables: Any


class Evaluated(NamedTuple):
    """What came of a task.

    Attributes:
      task: its position and updates.
      returns: of the episodes.
      pictures: uint8 by name.
    """

    task: tuple[int, int]
    returns: list[float]
    pictures: Mapping[str, Any]


class Job(NamedTuple):
    """A batch that a searcher is to transform.

    Attributes:
      number: of the update that the batch is for.
      version: of the transform's variables.
      variables: reference to their values.
      batch: reference to it, a nest of arrays.
    """

    number: int
    version: int
    variables: Any
    batch: Any


class Searched(NamedTuple):
    """What a searcher did since it asked last.

    Attributes:
      number: of the job; None: nothing was done.
      batch: as it is now, a nest of arrays.
      wait_share: of the time since the job before.
    """

    number: int | None = None
    batch: Any = None
    wait_share: float = 0.0


class Status(NamedTuple):
    """How far the run is; see `Progress`."""

    counters: Mapping[str, float]
    last_return: float
    evaluation: Mapping[str, Any] | None
    doing: str


class Ended(NamedTuple):
    """How a process came to its end by itself.

    Attributes:
      finished: nothing is left to do; False: it was asked to stop, or lost who it worked with.
      error: a line for the user.
      evaluation: the run's last one.
    """

    finished: bool
    error: str | None = None
    evaluation: Mapping[str, Any] | None = None
