"""What PlaNet writes to replay."""

from __future__ import annotations

import numpy as np
import reverb
import tree
from acme.adders.reverb import base
from acme.adders.reverb import sequence as adders


class SequenceAdder(adders.SequenceAdder):
    """Writes every chunk of L rows of an episode, and of a shorter episode one, padded to L.

    Frames are stored once; chunks refer to them. Padding is zeros with `start_of_episode` True
    (`agents.types`), which tells it from an episode's last row.
    """

    def __init__(
        self,
        client: reverb.Client,
        table: str,
        sequence_length: int,
        priority: base.PriorityFn | None = None,
    ) -> None:
        super().__init__(
            client,
            sequence_length=sequence_length,
            period=1,
            priority_fns={table: priority},
            max_in_flight_items=16,
            end_of_episode_behavior=adders.EndBehavior.WRITE,
        )

    def _write_last(self) -> None:
        missing = self._sequence_length - self._writer.episode_steps
        if missing > 0:
            zeros = lambda column: np.zeros_like(column[-1].numpy())  # noqa: E731
            padding = tree.map_structure(zeros, self._writer.history)
            padding["start_of_episode"] = np.asarray(True)
            for _ in range(missing):
                self._writer.append(padding)
        super()._write_last()
