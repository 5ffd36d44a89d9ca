"""Makes PETS' parts."""

from __future__ import annotations

import gin
import reverb
from acme import specs

from agents.builder import (
    DatasetOptions,
    FigureMaker,
    Role,
    Schedule,
    SingleStageBuilder,
    single_state,
    tensor_spec,
    unit_actions,
)
from agents.pets.acting import PETSPolicy
from agents.pets.adder import EpisodeAdder
from agents.pets.calibration import make_figure
from agents.pets.config import PETSConfig
from agents.pets.learning import PETSLearner
from agents.pets.networks import DynamicsModel
from agents.pets.tasks import TASKS
from agents.tables import make_table

_TABLE = "episodes"


@gin.configurable
class PETSBuilder(SingleStageBuilder):
    """Chua et al. 2018; every setting is in `PETSConfig`."""

    name = "pets"

    def __init__(self, config: PETSConfig | None = None) -> None:
        self.config = config or PETSConfig()
        self.schedule = Schedule(
            seed_episodes=self.config.seed_episodes, updates_per_episode=self.config.epochs
        )
        self.dataset_options = DatasetOptions(_TABLE, batch_size=None)

    def build_networks(self, spec: specs.EnvironmentSpec) -> DynamicsModel:
        """Makes the ensemble for state observations and continuous actions in [−1, 1]."""
        observation = single_state(spec.observations, "PETS")
        action = unit_actions(spec.actions, "PETS")
        size = TASKS[self.config.task].observation_size
        if size not in (None, observation.shape[0]):
            raise ValueError(
                f"PETSConfig.task = {self.config.task!r} has observations of {size} numbers, the "
                f"environment's have {observation.shape[0]}; 'differences' fits every environment"
            )
        return DynamicsModel(self.config, observation.shape[0], action.shape[0])

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """One table; an item is an episode. Its order of sampling is that of a ring."""
        signature = EpisodeAdder.signature(spec)
        return [make_table(_TABLE, signature, self.config.replay_capacity, sampler="ring")]

    def make_adder(self, client: reverb.Client) -> EpisodeAdder:
        """Writes each episode as one item, or a long one as several."""
        return EpisodeAdder(client, _TABLE, self.config.max_episode_steps)

    def make_learner(self, networks: DynamicsModel, seed: int) -> PETSLearner:
        """See `PETSLearner`."""
        return PETSLearner(self.config, networks, seed)

    def make_policy(
        self, networks: DynamicsModel, spec: specs.EnvironmentSpec, role: Role
    ) -> PETSPolicy:
        """See `PETSPolicy`; collecting and evaluating are the same."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return PETSPolicy(self.config, networks, observations, actions)

    def make_figure_maker(self, networks: DynamicsModel) -> FigureMaker:
        """Draws how well calibrated the model is; see `calibration.py`."""
        return make_figure(self.config, networks)
