"""Makes the parts that A2C and PPO share: networks, the queue of rollouts, the policy."""

from __future__ import annotations

from collections.abc import Mapping

import reverb
import tensorflow as tf
from acme import specs

from agents.actor_critic.config import ActorCriticConfig
from agents.actor_critic.networks import ActorCriticNetworks
from agents.builder import (
    DatasetOptions,
    Role,
    Schedule,
    SingleStageBuilder,
    single_state,
    tensor_spec,
)
from agents.policy import StochasticPolicy
from agents.rollouts import RolloutAdder, Rollouts, signature

_TABLE = "rollouts"
_NEVER_FULL = 1_000_000
_EXTRAS: Mapping[str, tf.TensorSpec] = {"log_prob": tf.TensorSpec([], tf.float32, "log_prob")}


class ActorCriticBuilder(SingleStageBuilder):
    """A round is a rollout in each environment, and then one call of the learner with all of it.

    Attributes:
      title: the agent's name in errors.
    """

    title: str
    dataset_options = DatasetOptions(_TABLE, batch_size=None, sample_type=Rollouts, queue=True)
    extras = tuple(_EXTRAS)

    def __init__(self, config: ActorCriticConfig) -> None:
        self.config = config
        self.schedule = Schedule(rollout=config.rollout, updates_per_round=1)

    def build_networks(self, spec: specs.EnvironmentSpec) -> ActorCriticNetworks:
        """Makes policy and critic for states, and discrete or bounded continuous actions."""
        size = single_state(spec.observations, self.title).shape[0]
        return ActorCriticNetworks(self.config, size, spec.actions, self.title)

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """A queue, whose items are learned from once; an item is a rollout of T rows."""
        capacity = self.config.queue_capacity if paced else _NEVER_FULL
        item = signature(spec, self.config.rollout, _EXTRAS)
        return [reverb.Table.queue(_TABLE, capacity, signature=item)]

    def make_adder(self, client: reverb.Client) -> RolloutAdder:
        """See `RolloutAdder`."""
        return RolloutAdder(client, _TABLE, self.config.rollout)

    def make_policy(
        self, networks: ActorCriticNetworks, spec: specs.EnvironmentSpec, role: Role
    ) -> StochasticPolicy:
        """Draws from π while it collects, and takes its mode when it is evaluated."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return StochasticPolicy(networks.acting, observations, actions, draw=not role.evaluation)
