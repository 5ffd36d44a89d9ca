"""Makes DQN's parts."""

from __future__ import annotations

import gin
import reverb
from acme import specs

from agents.builder import (
    DatasetOptions,
    Role,
    Schedule,
    SingleStageBuilder,
    single_array,
    tensor_spec,
)
from agents.dqn.acting import DQNPolicy
from agents.dqn.config import DQNConfig
from agents.dqn.learning import DQNLearner
from agents.dqn.networks import DQNNetworks
from agents.tables import make_table
from agents.transitions import TransitionAdder, Transitions, signature

_TABLE = "transitions"


@gin.configurable
class DQNBuilder(SingleStageBuilder):
    """Mnih et al. 2015; every setting is in `DQNConfig`."""

    name = "dqn"

    def __init__(self, config: DQNConfig | None = None) -> None:
        self.config = config = config or DQNConfig()
        self.schedule = Schedule(
            rollout=config.rollout,
            seed_steps=config.seed_steps,
            updates_per_step=config.updates_per_step,
        )
        self.dataset_options = DatasetOptions(_TABLE, config.batch_size, sample_type=Transitions)

    def build_networks(self, spec: specs.EnvironmentSpec) -> DQNNetworks:
        """Makes both networks for an environment of one observation and discrete actions."""
        self._check(spec)
        return DQNNetworks(self.config, spec.actions.num_values, tensor_spec(spec.observations))

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """One table; an item is a transition with the frames that its states are seen by."""
        config = self.config
        item = signature(spec, config.frame_stack, config.n_step)
        pace = config.updates_per_step * config.batch_size if paced else None
        return [
            make_table(
                _TABLE,
                item,
                config.replay_capacity,
                sampler=config.replay_sampler,
                samples_per_insert=pace,
            )
        ]

    def make_adder(self, client: reverb.Client) -> TransitionAdder:
        """See `TransitionAdder`."""
        return TransitionAdder(client, _TABLE, self.config.frame_stack, self.config.n_step)

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
