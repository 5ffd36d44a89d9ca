"""REINFORCE's settings, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Literal

import gin

from agents.config import Count, Positive, Scale, Share, check, expect


@gin.configurable
@dataclasses.dataclass(frozen=True)
class ReinforceConfig:
    """Williams 1992, "Simple Statistical Gradient-Following Algorithms".

    Attributes:
      baseline: a learned V(s) is subtracted from each return; else nothing is.
      shared_torso: the baseline is a head on the policy's hidden layers, and both losses shape
        them; else it has as many layers of its own.
      hidden_layers: units, first to last.
      activation: of the hidden layers.
      initial_stddev: of continuous actions before they are cut to their bounds, where a bound lies
        1 from the middle.
      discount: γ a step, beside the environment's own.
      bootstrap: where a time limit cut an episode, V of its last observation stands for the rest of
        the return. Without a baseline the return ends there.
      entropy_scale: weight of the policy's entropy, nats a step.
      normalise_advantages: of each batch, to mean 0 and deviation 1.
      learning_rate, baseline_learning_rate: Adam's; the shared torso learns at the first one.
      max_episode_steps: longer episodes cannot be stored.
      queue_capacity: episodes that may wait to be learned from, where actors are processes of their
        own: those wait then too. In one process none does.
    """

    baseline: bool = True
    shared_torso: bool = False
    hidden_layers: tuple[Count, ...] = (64, 64)
    activation: Literal["relu", "elu", "swish"] = "relu"
    initial_stddev: Positive = 0.5

    discount: Share = 0.99
    bootstrap: bool = True
    entropy_scale: Scale = 0.0
    normalise_advantages: bool = False
    learning_rate: Scale = 1e-3
    baseline_learning_rate: Scale = 1e-2
    max_episode_steps: Count = 10_000
    queue_capacity: Count = 1_000

    def __post_init__(self) -> None:
        check(self)
        fits = self.baseline or not self.shared_torso
        expect(self, "shared_torso", fits, "False where there is no baseline")
