"""Makes PPO's parts."""

from __future__ import annotations

import gin

from agents.actor_critic.builder import ActorCriticBuilder
from agents.actor_critic.networks import ActorCriticNetworks
from agents.ppo.config import PPOConfig
from agents.ppo.learning import PPOLearner


@gin.configurable
class PPOBuilder(ActorCriticBuilder):
    """Schulman et al. 2017; every setting is in `PPOConfig`."""

    name, title = "ppo", "PPO"

    def __init__(self, config: PPOConfig | None = None) -> None:
        super().__init__(config or PPOConfig())

    def make_learner(self, networks: ActorCriticNetworks, seed: int) -> PPOLearner:
        """See `PPOLearner`."""
        return PPOLearner(self.config, networks, seed)
