"""Makes SimPLe's parts: two stages in cycles (paper, Algorithm 1).

data and model   the policy collects, then the model learns from all that was collected
policy           PPO learns in rollouts that the model imagines from real frames
"""

from __future__ import annotations

from collections.abc import Sequence

import gin
import numpy as np
import reverb
import tensorflow as tf
from acme import specs

from agents.actor_critic.networks import ImageActorCritic
from agents.builder import (
    Builder,
    DatasetOptions,
    Imagined,
    OpenLoopPredictor,
    Role,
    Schedule,
    Stage,
    single_array,
    tensor_spec,
)
from agents.networks.perception import check_convolutions
from agents.rollouts import Rollouts, signature
from agents.sequences import SequenceAdder
from agents.simple.acting import SimPLePolicy
from agents.simple.config import SimPLeConfig, SimPLePolicyConfig
from agents.simple.imagination import ImaginedGame, open_loop
from agents.simple.learning import ImaginedPPOLearner, ModelLearner, SimPLeNetworks
from agents.simple.networks import WorldModel
from agents.tables import make_table

_SEQUENCES, _STARTS = "sequences", "starts"
_SAMPLES = 3


class _SimPLeStage(Stage):
    """What both stages share: the tables."""

    def __init__(self, builder: SimPLeBuilder, table: str) -> None:
        self._builder, self._table = builder, table

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """Sequences of S − 1 + K rows, one for each row of an episode; the stage's own first."""
        config = self._builder.config
        item = signature(spec, config.sequence_length, {})
        capacities = {_SEQUENCES: config.replay_capacity}
        if config.start_capacity is not None:
            capacities[_STARTS] = config.start_capacity
        names = sorted(capacities, key=lambda name: name != self._table)
        return [
            make_table(name, item, capacities[name], sampler=config.replay_sampler)
            for name in names
        ]


class DataAndModel(_SimPLeStage):
    """Collects so many rounds, then fits the model."""

    name = "model"
    evaluated = False  # Who is judged has not changed.

    def __init__(self, builder: SimPLeBuilder) -> None:
        super().__init__(builder, _SEQUENCES)
        config = builder.config
        self.schedule = Schedule(
            rollout=config.rollout, max_rounds=config.rounds, updates_at_end=config.model_updates
        )
        self.dataset_options = DatasetOptions(_SEQUENCES, config.batch_size, sample_type=Rollouts)

    def schedule_in(self, cycle: int) -> Schedule:
        """The first model learns from nothing, and longer."""
        if cycle > 0:
            return self.schedule
        return self.schedule._replace(updates_at_end=self._builder.config.first_model_updates)

    def make_adder(self, client: reverb.Client) -> SequenceAdder:
        """A sequence for each row, the frames before it included."""
        config = self._builder.config
        starts = [] if config.start_capacity is None else [_STARTS]
        burn_in = config.frame_stack - 1
        return SequenceAdder(
            client, [_SEQUENCES, *starts], config.sequence_length, burn_in, period=1
        )

    def make_learner(self, networks: SimPLeNetworks, seed: int) -> ModelLearner:
        """See `ModelLearner`."""
        return ModelLearner(self._builder.config, networks, seed)

    def make_policy(
        self, networks: SimPLeNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> SimPLePolicy:
        """Draws from π."""
        return self._builder.make_policy(networks, spec, role)

    def make_seed_policy(self, spec: specs.EnvironmentSpec) -> None:
        """None: at first π is uniform."""
        return None


class ImaginedPolicy(_SimPLeStage):
    """Learns in the model; it does not act in the environment."""

    name = "policy"

    def __init__(self, builder: SimPLeBuilder) -> None:
        config = builder.config
        super().__init__(builder, _SEQUENCES if config.start_capacity is None else _STARTS)
        updates = config.policy_updates
        self.schedule = Schedule(collects=False, updates_per_round=updates, max_rounds=1)
        self.dataset_options = DatasetOptions(
            self._table, config.imagined_rollouts, sample_type=Rollouts
        )

    def make_learner(self, networks: SimPLeNetworks, seed: int) -> ImaginedPPOLearner:
        """See `ImaginedPPOLearner`."""
        builder, world = self._builder, self._builder.make_world(networks)
        stack = builder.config.frame_stack
        return ImaginedPPOLearner(builder.policy, stack, networks.policy, world, seed)

    def make_policy(
        self, networks: SimPLeNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> SimPLePolicy:
        """Draws from π."""
        return self._builder.make_policy(networks, spec, role)


@gin.configurable
class SimPLeBuilder(Builder):
    """Kaiser et al. 2020; every setting is in `SimPLeConfig` and `SimPLePolicyConfig`."""

    name = "simple"

    def __init__(
        self, config: SimPLeConfig | None = None, policy: SimPLePolicyConfig | None = None
    ) -> None:
        self.config = config or SimPLeConfig()
        self.policy = policy or SimPLePolicyConfig()
        self.cycles = self.config.cycles

    def build_networks(self, spec: specs.EnvironmentSpec) -> SimPLeNetworks:
        """Makes model, policy and critic for images and discrete actions."""
        image, config, policy = single_array(spec.observations, "SimPLe"), self.config, self.policy
        if image.dtype != np.uint8 or len(image.shape) != 3:
            raise ValueError(
                "SimPLe needs images, uint8 [height, width, channels], got observations "
                f"{image.dtype} {list(image.shape)}"
            )
        if not isinstance(spec.actions, specs.DiscreteArray):
            raise ValueError(f"SimPLe needs discrete actions, got {spec.actions}")
        name = type(policy).__name__
        check_convolutions(name, image.shape, policy.kernels, policy.strides)
        frame = tensor_spec(image)
        model = WorldModel(config, spec.actions.num_values, frame)
        stack = [*image.shape[:2], config.frame_stack * image.shape[2]]
        seen = tf.TensorSpec(stack, image.dtype)
        networks = ImageActorCritic(policy, seen, spec.actions, "SimPLe")
        return SimPLeNetworks(model, networks)

    def make_stages(self) -> Sequence[Stage]:
        """Data and model, then the policy."""
        return (DataAndModel(self), ImaginedPolicy(self))

    def make_policy(
        self, networks: SimPLeNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> SimPLePolicy:
        """See `SimPLePolicy`."""
        return SimPLePolicy(
            self.config,
            networks.policy,
            tensor_spec(spec.observations),
            tensor_spec(spec.actions),
            spec.actions.num_values,
            role.evaluation,
        )

    def make_world(self, networks: SimPLeNetworks) -> ImaginedGame:
        """The model as a game."""
        return ImaginedGame(self.config, networks.model)

    def make_open_loop_predictor(self, networks: SimPLeNetworks) -> OpenLoopPredictor:
        """Several futures of one past, each by other bits."""
        world = self.make_world(networks)
        samples = _SAMPLES if self.config.model == "stochastic" else 1

        def predict(frames: np.ndarray, actions: np.ndarray, context: int) -> list[Imagined]:
            futures = open_loop(world, frames, actions, context, samples)
            return [f._replace(rewards=self._marked(f.rewards, context)) for f in futures]

        return predict

    def _marked(self, rewards: np.ndarray, context: int) -> np.ndarray:
        """The class nearest to each imagined one: a mean is hardly ever 0, and films mark gains."""
        values = np.array(self.config.reward_values, np.float32)
        nearest = values[np.argmin(np.abs(rewards[:, None] - values), axis=-1)]
        return np.where(np.arange(len(rewards)) < context, rewards, nearest)
