"""Makes D4PG's parts."""

from __future__ import annotations

import gin
import numpy as np
from acme import specs

from agents.builder import Role, single_array, single_state, tensor_spec, unit_actions
from agents.d4pg.acting import D4PGPolicy
from agents.d4pg.config import D4PGConfig
from agents.d4pg.learning import D4PGLearner
from agents.d4pg.networks import D4PGNetworks
from agents.off_policy import OffPolicyBuilder


@gin.configurable
class D4PGBuilder(OffPolicyBuilder):
    """Barth-Maron et al. 2018; every setting is in `D4PGConfig`."""

    name = "d4pg"

    def __init__(self, config: D4PGConfig | None = None) -> None:
        config = config or D4PGConfig()
        super().__init__(config, priority_exponent=config.priority_exponent)

    def build_networks(self, spec: specs.EnvironmentSpec) -> D4PGNetworks:
        """Makes all networks for states or pixels, and actions in [−1, 1]."""
        self._check(spec)
        size = unit_actions(spec.actions, "D4PG").shape[0]
        return D4PGNetworks(self.config, size, tensor_spec(spec.observations))

    def make_learner(self, networks: D4PGNetworks, seed: int) -> D4PGLearner:
        """See `D4PGLearner`."""
        return D4PGLearner(self.config, networks, seed)

    def make_policy(
        self, networks: D4PGNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> D4PGPolicy:
        """See `D4PGPolicy`."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return D4PGPolicy(self.config, networks, observations, actions, role)

    def _check(self, spec: specs.EnvironmentSpec) -> None:
        if self.config.torso == "states":
            single_state(spec.observations, "D4PG")
            return
        seen = single_array(spec.observations, "D4PG")
        if len(seen.shape) != 3 or seen.dtype != np.uint8 or min(seen.shape[:2]) < 7:
            raise ValueError(
                "D4PGConfig.torso = 'pixels' takes images uint8 [height, width, channels] of 7 "
                f"pixels at least, got {seen.dtype} {list(seen.shape)}; 'states' takes states"
            )
