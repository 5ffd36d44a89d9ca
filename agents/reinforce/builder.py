"""Makes REINFORCE's parts."""

from __future__ import annotations

import gin
import reverb
from acme import specs
from acme.adders.reverb import episode as adders

from agents.builder import (
    DatasetOptions,
    Role,
    Schedule,
    SingleStageBuilder,
    single_state,
    tensor_spec,
)
from agents.policy import StochasticPolicy
from agents.reinforce.config import ReinforceConfig
from agents.reinforce.learning import ReinforceLearner
from agents.reinforce.networks import ReinforceNetworks

_TABLE = "episodes"
_NEVER_FULL = 1_000_000


@gin.configurable
class ReinforceBuilder(SingleStageBuilder):
    """Williams 1992; every setting is in `ReinforceConfig`."""

    name = "reinforce"
    schedule = Schedule(updates_per_round=1)
    # A batch is all that was collected since the last update.
    dataset_options = DatasetOptions(_TABLE, batch_size=None, queue=True)

    def __init__(self, config: ReinforceConfig | None = None) -> None:
        self.config = config or ReinforceConfig()

    def build_networks(self, spec: specs.EnvironmentSpec) -> ReinforceNetworks:
        """Makes policy and baseline for states, and discrete or bounded continuous actions."""
        size = single_state(spec.observations, "REINFORCE").shape[0]
        return ReinforceNetworks(self.config, size, spec.actions)

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """A queue, whose items are learned from once; an item is an episode."""
        capacity = self.config.queue_capacity if paced else _NEVER_FULL
        signature = adders.EpisodeAdder.signature(spec)
        return [reverb.Table.queue(_TABLE, capacity, signature=signature)]

    def make_adder(self, client: reverb.Client) -> adders.EpisodeAdder:
        """Writes each episode as one item."""
        length = self.config.max_episode_steps + 2  # The last observation, and room to notice.
        return adders.EpisodeAdder(client, length, priority_fns={_TABLE: None})

    def make_learner(self, networks: ReinforceNetworks, seed: int) -> ReinforceLearner:
        """See `ReinforceLearner`."""
        return ReinforceLearner(self.config, networks, seed)

    def make_policy(
        self, networks: ReinforceNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> StochasticPolicy:
        """Draws from π while it collects, and takes its mode when it is evaluated."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return StochasticPolicy(networks.policy, observations, actions, draw=not role.evaluation)
