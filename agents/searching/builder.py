"""What builders of agents that search a tree at every move have in common."""

from __future__ import annotations

from typing import Any

import reverb
import tensorflow as tf
from acme import specs

from agents.boards.observations import split
from agents.builder import DatasetOptions, Schedule, SingleStageBuilder, tensor_spec
from agents.policy import RandomPolicy
from agents.searching.config import SearchingConfig
from agents.searching.policy import random_search
from agents.searching.positions import PositionAdder, recorded, signature
from agents.tables import make_table

_TABLE = "positions"


class SearchingBuilder(SingleStageBuilder):
    """One table of positions, each learned from with what was searched and played from there on.

    Attributes:
      item_length: T, rows of an item.
      table_options, adder_options: what `make_table` and `PositionAdder` are told beside that.
    """

    item_length: int
    table_options: dict[str, Any]
    adder_options: dict[str, Any]

    def __init__(self, config: SearchingConfig) -> None:
        self.config = config
        self.schedule = Schedule(
            seed_episodes=config.seed_episodes,
            updates_per_episode=config.updates_per_episode,
            updates_per_step=config.updates_per_step,
        )
        self.dataset_options = DatasetOptions(
            _TABLE, config.batch_size, prioritized=config.replay_sampler == "prioritized"
        )
        self.extras = tuple(self.recorded(1))

    def recorded(self, count: int) -> dict[str, Any]:
        """Zeros of what is recorded of a move, for games of so many actions."""
        return recorded(count)

    def random_search(self, legal: tf.Tensor) -> dict[str, tf.Tensor]:
        """What is recorded of moves drawn at random among the legal ones [B, A]."""
        return random_search(legal)

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """One table; an item is a position with what followed."""
        config = self.config
        return [
            make_table(
                _TABLE,
                signature(spec, self.item_length, self.recorded(num_actions(spec))),
                config.replay_capacity,
                sampler=config.replay_sampler,
                **self.table_options,
            )
        ]

    def make_adder(self, client: reverb.Client) -> PositionAdder:
        """See `PositionAdder`."""
        return PositionAdder(client, _TABLE, length=self.item_length, **self.adder_options)

    def make_seed_policy(self, spec: specs.EnvironmentSpec) -> RandomPolicy:
        """Plays at random among the legal actions, and records what a search would."""
        return RandomPolicy(tensor_spec(spec.observations), spec.actions, self.random_search)


def num_actions(spec: specs.EnvironmentSpec) -> int:
    """A, of which policies speak: a game's own actions, without the one to resign."""
    _, legal = split(spec.observations)
    return spec.actions.num_values if legal is None else legal.shape[0]
