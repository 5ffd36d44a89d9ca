"""REINFORCE's settings, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Literal

import gin

from agents.config import Count, Positive, Scale, Share, check


@gin.configurable
@dataclasses.dataclass(frozen=True)
class ReinforceConfig:
    """Williams 1992, "Simple Statistical Gradient-Following Algorithms".

    Attributes:
      baseline: a learned V(s) is subtracted from each return; else nothing is.
      baseline_steps: of gradient descent that it makes on each batch.
      hidden_layers: units, first to last, of the policy and of the baseline.
      activation: of the hidden layers.
      initial_stddev: of continuous actions before they are cut to their bounds, where a bound lies
        1 from the middle.
      discount: γ a step, beside the environment's own.
      bootstrap: where a time limit cut an episode, V of its last observation stands for the rest of
        the return. Without a baseline the return ends there.
      entropy_scale: weight of the policy's entropy, nats a step.
      normalise_advantages: of each batch, to mean 0 and deviation 1.
      learning_rate, baseline_learning_rate: Adam's.
      max_episode_steps: longer episodes cannot be stored.
      queue_capacity: episodes that may wait before actors do, where these are other processes.
    """

    baseline: bool = True
    baseline_steps: Count = 1
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
