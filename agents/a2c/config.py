"""A2C's settings, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Literal

import gin

from agents.actor_critic.config import ActorCriticConfig


@gin.configurable
@dataclasses.dataclass(frozen=True)
class A2CConfig(ActorCriticConfig):
    """Mnih et al. 2016, "Asynchronous methods for deep reinforcement learning".

    Attributes:
      correction: of data that an older policy gave, as where actors are other processes: `vtrace`
        (Espeholt et al. 2018), in the place of λ; or `none`.
    """

    correction: Literal["none", "vtrace"] = "none"
