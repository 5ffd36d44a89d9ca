"""A run's seed becomes a seed for everything that draws, and no two runs share one."""

from __future__ import annotations

import numpy as np

# Each draws from a stream of its own; a new one goes to the end.
_STREAMS = (
    "networks",
    "learner",
    "transform",
    "dataset",
    "seed_actor",
    "actor",
    "evaluation_actor",
    "environment",
    "evaluation_environment",
    "gate",
    "played_again",
)


class Seeds:
    """The seeds of one run, by what they are for.

    Environment i of a run's seed s is child (stream, i) of NumPy's `SeedSequence(s)`, so that
    neighbouring seeds share no stream, as s + i would.

    Args:
      seed: of the run.
      again: how often others have begun with the same streams, who go on from none of them: a
        process in the place of one that died must not draw what that one drew.
    """

    def __init__(self, seed: int, again: int = 0) -> None:
        self._seed, self._again = seed, (again,) if again else ()

    def of(self, stream: str, *place: int) -> int:
        """A seed in [0, 2³¹); `place` numbers the stream's members, such as actors or stages."""
        key = (_STREAMS.index(stream), *place, *self._again)
        sequence = np.random.SeedSequence(self._seed, spawn_key=key)
        return int(sequence.generate_state(1)[0] & 0x7FFFFFFF)

    def of_environment(self, stream: str, index: int) -> int:
        """As `of`, but even for even indices: games give the first seat by their seed's parity."""
        return self.of(stream, index) & ~1 | index & 1
