"""Makes DQN's parts."""

from __future__ import annotations

import gin
from acme import specs

from agents.builder import Role, tensor_spec
from agents.dqn.acting import DQNPolicy
from agents.dqn.config import DQNConfig
from agents.dqn.learning import DQNLearner
from agents.dqn.networks import DQNNetworks
from agents.off_policy import OffPolicyBuilder
from agents.q_learning.checks import check_environment


@gin.configurable
class DQNBuilder(OffPolicyBuilder):
    """Mnih et al. 2015; every setting is in `DQNConfig`."""

    name = "dqn"

    def __init__(self, config: DQNConfig | None = None) -> None:
        config = config or DQNConfig()
        super().__init__(
            config, config.initial_priority, priority_exponent=config.priority_exponent
        )

    def build_networks(self, spec: specs.EnvironmentSpec) -> DQNNetworks:
        """Makes both networks for an environment of one observation and discrete actions."""
        check_environment(spec, self.config, "DQN")
        return DQNNetworks(self.config, spec.actions.num_values, tensor_spec(spec.observations))

    def make_learner(self, networks: DQNNetworks, seed: int) -> DQNLearner:
        """See `DQNLearner`."""
        return DQNLearner(self.config, networks, seed)

    def make_policy(
        self, networks: DQNNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> DQNPolicy:
        """See `DQNPolicy`."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return DQNPolicy(self.config, networks, observations, actions, role)
