"""What agents that learn from replayed transitions, or sequences, have in common."""

from __future__ import annotations

from typing import Any, Protocol

import reverb
import tensorflow as tf
from acme import specs
from acme.adders import base

from agents import replicas
from agents.builder import DatasetOptions, Schedule, SingleStageBuilder
from agents.tables import make_table
from agents.transitions import TransitionAdder, Transitions, signature
from agents.types import Sample


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
    """Rounds of steps, a table of items, and updates spread over the steps.

    Args:
      config: the agent's.
      initial_priority: of items that were never sampled.
      table_options: what `make_table` is told beside that.

    Attributes:
      table: its name.
      sample_type: of its items.
    """

    table = "transitions"
    sample_type: type[Any] = Transitions

    def __init__(
        self, config: OffPolicyConfig, initial_priority: float = 1.0, **table_options: Any
    ) -> None:
        self.config, self._table_options = config, table_options
        self._initial_priority = initial_priority
        self.schedule = Schedule(
            rollout=config.rollout,
            seed_steps=config.seed_steps,
            updates_per_step=config.updates_per_step,
        )
        self.dataset_options = DatasetOptions(
            self.table,
            config.batch_size,
            prioritized=config.replay_sampler == "prioritized",
            sample_type=self.sample_type,
        )

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """One table of items."""
        config = self.config
        return [
            make_table(
                self.table,
                self.make_signature(spec),
                config.replay_capacity,
                sampler=config.replay_sampler,
                **self._table_options,
            )
        ]

    def make_signature(self, spec: specs.EnvironmentSpec) -> Any:
        """An item: a transition with the frames that its states are seen by."""
        return signature(spec, self.config.frame_stack, self.config.n_step)

    def make_adder(self, client: reverb.Client) -> base.Adder:
        """See `TransitionAdder`."""
        config = self.config
        return TransitionAdder(
            client, self.table, config.frame_stack, config.n_step, self._initial_priority
        )


def importance_weights(sample: Sample, exponent: tf.Tensor | float) -> tf.Tensor:
    """What makes up for the sampler's choice [B], the largest one 1 (Schaul et al. 2016, 3.4)."""
    chance = tf.cast(sample.probability, tf.float32) * tf.cast(sample.table_size, tf.float32)
    weights = tf.maximum(chance, 1e-6) ** -exponent
    return weights / tf.reduce_max(replicas.gathered(weights))
