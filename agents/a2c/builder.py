"""Makes A2C's parts."""

from __future__ import annotations

import gin

from agents.a2c.config import A2CConfig
from agents.a2c.learning import A2CLearner
from agents.actor_critic.builder import ActorCriticBuilder
from agents.actor_critic.networks import ActorCriticNetworks


@gin.configurable
class A2CBuilder(ActorCriticBuilder):
    """Mnih et al. 2016; every setting is in `A2CConfig`."""

    name, title = "a2c", "A2C"

    def __init__(self, config: A2CConfig | None = None) -> None:
        super().__init__(config or A2CConfig())

    def make_learner(self, networks: ActorCriticNetworks, seed: int) -> A2CLearner:
        """See `A2CLearner`."""
        return A2CLearner(self.config, networks, seed)
