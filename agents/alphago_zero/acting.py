"""AlphaGo Zero's policy: AlphaZero's search, whose network sees positions turned at random."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from agents.alphago_zero.config import AlphaGoZeroConfig
from agents.alphazero.acting import AlphaZeroPolicy, recurrent_fn, root_of
from agents.boards.observations import split
from ops import mcts
from ops.mcts.search import RecurrentFn


class AlphaGoZeroPolicy(AlphaZeroPolicy):
    """See `AlphaZeroPolicy`."""

    _config: AlphaGoZeroConfig

    def __init__(self, config: AlphaGoZeroConfig, *arguments: Any) -> None:
        super().__init__(config, *arguments)
        self._turned = config.symmetries if config.turned_evaluations else "none"
        # A model that draws has one seed for all rows.
        self.takes_seeds = self.takes_seeds and self._turned == "none"

    def searched(
        self, observation: Any, state: dict[str, tf.Tensor]
    ) -> tuple[mcts.RootFnOutput, RecurrentFn]:
        """See `TreePolicy.searched`."""
        states, _ = split(observation)
        return root_of(self._network, states), recurrent_fn(self._network, self._turned)
