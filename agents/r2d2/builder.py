"""Makes R2D2's parts."""

from __future__ import annotations

import gin
import reverb
from acme import specs

from agents.builder import Role, tensor_spec
from agents.off_policy import OffPolicyBuilder
from agents.q_learning.checks import check_environment
from agents.r2d2.acting import R2D2Policy
from agents.r2d2.config import R2D2Config
from agents.r2d2.learning import R2D2Learner
from agents.r2d2.networks import R2D2Networks
from agents.recurrent.torso import memory_spec
from agents.rollouts import STATE, Rollouts, signature
from agents.sequences import SequenceAdder


@gin.configurable
class R2D2Builder(OffPolicyBuilder):
    """Kapturowski et al. 2019; every setting is in `R2D2Config`."""

    name = "r2d2"
    table, sample_type = "sequences", Rollouts
    extras = (STATE,)

    def __init__(self, config: R2D2Config | None = None) -> None:
        config = config or R2D2Config()
        super().__init__(
            config, config.initial_priority, priority_exponent=config.priority_exponent
        )

    def build_networks(self, spec: specs.EnvironmentSpec) -> R2D2Networks:
        """Makes both networks for an environment of one observation and discrete actions."""
        check_environment(spec, self.config, "R2D2")
        return R2D2Networks(self.config, spec.actions.num_values, tensor_spec(spec.observations))

    def make_signature(self, spec: specs.EnvironmentSpec) -> Rollouts:
        """An item: a sequence with the memory before it."""
        seen, config = tensor_spec(spec.observations), self.config
        memory = memory_spec(config.frame_stack, config.core_size, seen)
        return signature(spec, config.sequence_length, {STATE: memory})

    def make_adder(self, client: reverb.Client) -> SequenceAdder:
        """See `SequenceAdder`."""
        config = self.config
        sizes = (config.sequence_length, config.burn_in, config.period)
        return SequenceAdder(client, self.table, *sizes, self._initial_priority)

    def make_seed_policy(self, spec: specs.EnvironmentSpec) -> None:
        """None: what the policy remembers is stored from the first step on, as in the paper."""
        return None

    def make_learner(self, networks: R2D2Networks, seed: int) -> R2D2Learner:
        """See `R2D2Learner`."""
        return R2D2Learner(self.config, networks, seed)

    def make_policy(
        self, networks: R2D2Networks, spec: specs.EnvironmentSpec, role: Role
    ) -> R2D2Policy:
        """See `R2D2Policy`."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return R2D2Policy(self.config, networks, observations, actions, role)
