"""What builders of agents that learn from replayed transitions have in common."""

from __future__ import annotations

from typing import Any, Protocol

import reverb
from acme import specs

from agents.builder import DatasetOptions, Schedule, SingleStageBuilder
from agents.tables import make_table
from agents.transitions import TransitionAdder, Transitions, signature

_TABLE = "transitions"


class OffPolicyConfig(Protocol):
    """Settings that every such agent has, as its own configuration explains them."""

    frame_stack: int
    n_step: int
    batch_size: int
    replay_capacity: int
    replay_sampler: str
    seed_steps: int
    rollout: int
    updates_per_step: float


class OffPolicyBuilder(SingleStageBuilder):
    """Rounds of steps, a table of transitions, and updates spread over the steps.

    Args:
      config: the agent's.
      table_options: what `make_table` is told beside that.
    """

    def __init__(self, config: OffPolicyConfig, **table_options: Any) -> None:
        self.config, self._table_options = config, table_options
        self.schedule = Schedule(
            rollout=config.rollout,
            seed_steps=config.seed_steps,
            updates_per_step=config.updates_per_step,
        )
        self.dataset_options = DatasetOptions(
            _TABLE,
            config.batch_size,
            prioritized=config.replay_sampler == "prioritized",
            sample_type=Transitions,
        )

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """One table; an item is a transition with the frames that its states are seen by."""
        config = self.config
        return [
            make_table(
                _TABLE,
                signature(spec, config.frame_stack, config.n_step),
                config.replay_capacity,
                sampler=config.replay_sampler,
                samples_per_insert=config.updates_per_step * config.batch_size if paced else None,
                **self._table_options,
            )
        ]

    def make_adder(self, client: reverb.Client) -> TransitionAdder:
        """See `TransitionAdder`."""
        return TransitionAdder(client, _TABLE, self.config.frame_stack, self.config.n_step)
