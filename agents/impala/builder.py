"""Makes IMPALA's parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gin
from acme import specs

from agents.actor_critic.builder import TABLE, RolloutBuilder
from agents.builder import DatasetOptions, Role, Schedule, single_array, tensor_spec
from agents.impala.acting import ImpalaPolicy
from agents.impala.config import ImpalaConfig
from agents.impala.learning import ImpalaLearner
from agents.impala.networks import ImpalaNetworks
from agents.networks.perception import check_convolutions
from agents.recurrent.torso import memory_spec
from agents.rollouts import STATE, Rollouts


@gin.configurable
class ImpalaBuilder(RolloutBuilder):
    """Espeholt et al. 2018; every setting is in `ImpalaConfig`."""

    name, title = "impala", "IMPALA"

    def __init__(self, config: ImpalaConfig | None = None) -> None:
        config = config or ImpalaConfig()
        super().__init__(config)
        self.schedule = Schedule(rollout=config.rollout, rollouts_per_update=config.batch_size)
        self.dataset_options = DatasetOptions(
            TABLE, config.batch_size, sample_type=Rollouts, queue=True
        )
        remembers = config.core_size is not None or config.frame_stack > 1
        self.extras = ("log_prob", STATE) if remembers else ("log_prob",)

    def build_networks(self, spec: specs.EnvironmentSpec) -> ImpalaNetworks:
        """Makes policy and critic for an environment of one observation and discrete actions."""
        seen, config = single_array(spec.observations, self.title), self.config
        if not isinstance(spec.actions, specs.DiscreteArray):
            raise ValueError(f"{self.title} needs discrete actions, got {spec.actions}")
        if config.torso == "shallow":
            check_convolutions("ImpalaConfig", seen.shape, config.kernels, config.strides)
        if config.torso == "deep":
            check_convolutions("ImpalaConfig", seen.shape, (), ())
        return ImpalaNetworks(config, spec.actions, tensor_spec(seen))

    def recorded(self, spec: specs.EnvironmentSpec) -> Mapping[str, Any]:
        """The action's log-probability, and what the policy remembered before it."""
        seen, config = tensor_spec(spec.observations), self.config
        memory = memory_spec(config.frame_stack, config.core_size, seen)
        return {**super().recorded(spec), **({STATE: memory} if memory else {})}

    def make_learner(self, networks: ImpalaNetworks, seed: int) -> ImpalaLearner:
        """See `ImpalaLearner`."""
        return ImpalaLearner(self.config, networks, seed)

    def make_policy(
        self, networks: ImpalaNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> ImpalaPolicy:
        """Draws from π while it collects, and takes its mode when it is evaluated."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return ImpalaPolicy(networks, observations, actions, role.evaluation)
