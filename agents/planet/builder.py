"""Makes PlaNet's parts."""

from __future__ import annotations

from typing import Any

import gin
import numpy as np
import reverb
from acme import specs
from acme.adders.reverb import base as trajectories

from agents.averaging import OnlineAndActing
from agents.builder import (
    DatasetOptions,
    Imagined,
    OpenLoopPredictor,
    Role,
    Schedule,
    SingleStageBuilder,
    single_array,
    tensor_spec,
    unit_actions,
)
from agents.planet.acting import PlaNetPolicy
from agents.planet.adder import SequenceAdder
from agents.planet.config import PlaNetConfig
from agents.planet.learning import PlaNetLearner
from agents.planet.networks import WorldModel, open_loop
from agents.tables import make_table

_TABLE = "sequences"


@gin.configurable
class PlaNetBuilder(SingleStageBuilder):
    """Hafner et al. 2019; every setting is in `PlaNetConfig`."""

    name = "planet"

    def __init__(self, config: PlaNetConfig | None = None) -> None:
        self.config = config or PlaNetConfig()
        self.schedule = Schedule(
            seed_episodes=self.config.seed_episodes,
            updates_per_episode=self.config.collect_interval,
        )
        self.dataset_options = DatasetOptions(_TABLE, self.config.batch_size)

    @property
    def _by_return(self) -> bool:
        return self.config.replay_sampler == "return"

    def build_networks(self, spec: specs.EnvironmentSpec) -> OnlineAndActing:
        """Makes world models for square images and continuous actions in [−1, 1]."""
        self.config.check_image(single_array(spec.observations, "PlaNet"))
        actions = unit_actions(spec.actions, "PlaNet")
        model = WorldModel(self.config, spec.observations.shape, actions.shape[0])
        return OnlineAndActing(model, self.config.average_decay)

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """One table; an item is a chunk of L rows that starts at any row of an episode."""
        config = self.config
        return [
            make_table(
                _TABLE,
                SequenceAdder.signature(spec, sequence_length=config.sequence_length),
                config.replay_capacity,
                sampler="prioritized" if self._by_return else config.replay_sampler,
                samples_per_insert=config.samples_per_insert if paced else None,
                priority_exponent=config.replay_exponent,
            )
        ]

    def make_adder(self, client: reverb.Client) -> SequenceAdder:
        """Writes each chunk of L steps."""
        priority = _chunk_return if self._by_return else None
        return SequenceAdder(client, _TABLE, self.config.sequence_length, priority)

    def make_learner(self, networks: OnlineAndActing, seed: int) -> PlaNetLearner:
        """See `PlaNetLearner`."""
        return PlaNetLearner(self.config, networks, seed)

    def make_policy(
        self, networks: OnlineAndActing, spec: specs.EnvironmentSpec, role: Role
    ) -> PlaNetPolicy:
        """See `PlaNetPolicy`; evaluation plans without exploration noise."""
        return PlaNetPolicy(
            self.config,
            networks.acting,
            tensor_spec(spec.observations),
            tensor_spec(spec.actions),
            exploration_noise=0.0 if role.evaluation else self.config.exploration_noise,
        )

    def make_open_loop_predictor(self, networks: OnlineAndActing) -> OpenLoopPredictor:
        """Reconstructs the context, then decodes what the actions alone lead to."""

        def predict(frames: np.ndarray, actions: Any, context: int) -> list[Imagined]:
            drawn = open_loop(networks.acting, frames, actions, context, self.config.pixel_bits)
            return [Imagined(drawn.numpy())]

        return predict


def _chunk_return(chunk: trajectories.Trajectory) -> float:
    """Sum of a chunk's rewards, as its priority."""
    return max(float(np.sum(chunk.reward)), 0.0)
