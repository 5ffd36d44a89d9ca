"""PPO's settings, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import gin

from agents.actor_critic.config import ActorCriticConfig
from agents.config import AtLeast, Count, LessThan, MoreThan, Positive, Scale, Share


@gin.configurable
@dataclasses.dataclass(frozen=True)
class PPOConfig(ActorCriticConfig):
    """Schulman et al. 2017, "Proximal policy optimization algorithms", table 3.

    Attributes:
      surrogate: `clip`, equation 7; or `penalty`, equation 8 with the coefficient adapted (also
        Heess et al. 2017), where the divergence is estimated from the actions that were drawn.
      clip: ε, how far a ratio of probabilities counts.
      clip_values: likewise for the critic; None: not, as in the paper.
      penalty: β at first.
      target_divergence: nats; β is doubled above 1.5 times of it, and halved below the 1.5th part.
      epochs: passes over each batch.
      minibatches: parts of a batch, each a step of the optimiser; what does not divide is left out.
    """

    rollout: Count = 2048
    trace: Share = 0.95
    normalise_advantages: bool = True
    entropy_scale: Scale = 0.0
    learning_rate: Scale = 3e-4

    surrogate: Literal["clip", "penalty"] = "clip"
    clip: Annotated[float, MoreThan(0), LessThan(1)] = 0.2
    clip_values: Positive | None = None
    penalty: Annotated[float, AtLeast(0)] = 1.0
    target_divergence: Positive = 0.01
    epochs: Count = 10
    minibatches: Count = 32
