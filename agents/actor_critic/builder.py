"""Makes the parts that agents of rollouts share: the queue; of A2C and PPO networks and policy."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import reverb
import tensorflow as tf
from acme import specs

from agents.actor_critic.config import ActorCriticConfig, RolloutConfig
from agents.actor_critic.networks import ActorCriticNetworks, ImageActorCritic
from agents.builder import (
    DatasetOptions,
    Role,
    Schedule,
    SingleStageBuilder,
    single_array,
    single_state,
    tensor_spec,
)
from agents.networks.perception import check_convolutions
from agents.policy import StochasticPolicy
from agents.rollouts import RolloutAdder, Rollouts, signature

TABLE = "rollouts"
_NEVER_FULL = 1_000_000


class RolloutBuilder(SingleStageBuilder):
    """A round is a rollout in each environment, and then the learner takes them from a queue.

    Attributes:
      title: the agent's name in errors.
    """

    title: str

    def __init__(self, config: RolloutConfig) -> None:
        self.config = config

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """A queue, whose items are learned from once; an item is a rollout of T rows."""
        capacity = self.config.queue_capacity if paced else _NEVER_FULL
        item = signature(spec, self.config.rollout, self.recorded(spec))
        return [reverb.Table.queue(TABLE, capacity, signature=item)]

    def recorded(self, spec: specs.EnvironmentSpec) -> Mapping[str, Any]:
        """TensorSpecs of what the policy records with each action: `extras`, by name."""
        return {"log_prob": tf.TensorSpec([], tf.float32, "log_prob")}

    def adder_makers(self, client: reverb.Client, count: int) -> list[Callable[[], RolloutAdder]]:
        """See `RolloutAdder`; they share a writer, so that B rollouts are waited for once."""
        writer = client.trajectory_writer(num_keep_alive_refs=1)
        return [functools.partial(RolloutAdder, writer, TABLE, self.config.rollout)] * count


class ActorCriticBuilder(RolloutBuilder):
    """Of A2C and PPO: one call of the learner takes all that is in the queue."""

    dataset_options = DatasetOptions(TABLE, batch_size=None, sample_type=Rollouts, queue=True)
    extras = ("log_prob",)

    def __init__(self, config: ActorCriticConfig) -> None:
        super().__init__(config)
        self.schedule = Schedule(rollout=config.rollout, updates_per_round=1)

    def build_networks(self, spec: specs.EnvironmentSpec) -> ActorCriticNetworks | ImageActorCritic:
        """Makes policy and critic for states or images, and discrete or bounded actions."""
        if self.config.torso == "mlp":
            size = single_state(spec.observations, self.title).shape[0]
            return ActorCriticNetworks(self.config, size, spec.actions, self.title)
        image = tensor_spec(single_array(spec.observations, self.title))
        name, config = type(self.config).__name__, self.config
        check_convolutions(name, image.shape, config.kernels, config.strides)
        return ImageActorCritic(config, image, spec.actions, self.title)

    def make_policy(
        self,
        networks: ActorCriticNetworks | ImageActorCritic,
        spec: specs.EnvironmentSpec,
        role: Role,
    ) -> StochasticPolicy:
        """Draws from π while it collects, and takes its mode when it is evaluated."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return StochasticPolicy(networks.acting, observations, actions, draw=not role.evaluation)
