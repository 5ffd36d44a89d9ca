"""Makes DQN's parts."""

from __future__ import annotations

import gin
from acme import specs

from agents.builder import Role, single_array, tensor_spec
from agents.dqn.acting import DQNPolicy
from agents.dqn.config import DQNConfig
from agents.dqn.learning import DQNLearner
from agents.dqn.networks import DQNNetworks
from agents.off_policy import OffPolicyBuilder


@gin.configurable
class DQNBuilder(OffPolicyBuilder):
    """Mnih et al. 2015; every setting is in `DQNConfig`."""

    name = "dqn"

    def __init__(self, config: DQNConfig | None = None) -> None:
        super().__init__(config or DQNConfig())

    def build_networks(self, spec: specs.EnvironmentSpec) -> DQNNetworks:
        """Makes both networks for an environment of one observation and discrete actions."""
        self._check(spec)
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

    def _check(self, spec: specs.EnvironmentSpec) -> None:
        seen = single_array(spec.observations, "DQN")
        if not isinstance(spec.actions, specs.DiscreteArray):
            raise ValueError(f"DQN needs discrete actions, got {spec.actions}")
        if self.config.torso == "atari" and len(seen.shape) != 3:
            raise ValueError(
                "DQNConfig.torso = 'atari' takes images [height, width, channels], got shape "
                f"{list(seen.shape)}; 'mlp' takes every shape"
            )
        if self.config.torso == "atari":
            self._check_size(seen.shape[:2])

    def _check_size(self, size: tuple[int, ...]) -> None:
        """Each convolution must have something left to see."""
        for kernel, stride in zip(self.config.kernels, self.config.strides, strict=True):
            if min(size) < kernel:
                raise ValueError(
                    f"DQNConfig.kernels = {self.config.kernels} and strides = "
                    f"{self.config.strides} do not fit the image: {kernel} of {min(size)} pixels"
                )
            size = tuple((edge - kernel) // stride + 1 for edge in size)
