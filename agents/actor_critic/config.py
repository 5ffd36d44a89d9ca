"""Settings that A2C, PPO and IMPALA share, with units."""

from __future__ import annotations

import dataclasses
from typing import Literal

from agents.config import Count, Positive, Scale, Share, check, expect


@dataclasses.dataclass(frozen=True)
class RolloutConfig:
    """Of a policy and a critic that learn from rollouts, each of which is seen once.

    Attributes:
      rollout: T, rows of each environment between updates.
      discount: γ a step, beside the environment's own.
      normalise_advantages: to mean 0 and deviation 1, of what a gradient is taken of.
      value_scale: weight of the critic's loss.
      entropy_scale: weight of the policy's entropy, nats a step.

      learning_rate: the optimiser's, at first.
      decay_updates: it falls to 0 linearly over so many; None: it stays.
      epsilon: the optimiser's.
      gradient_clip: largest global norm of a gradient; None: any.
      queue_capacity: rollouts that may wait before actors do, where these are other processes.
    """

    rollout: Count = 20
    discount: Share = 0.99
    normalise_advantages: bool = False
    value_scale: Scale = 0.5
    entropy_scale: Scale = 0.01

    learning_rate: Scale = 7e-4
    decay_updates: Count | None = None
    epsilon: Positive = 1e-5
    gradient_clip: Positive | None = 0.5
    queue_capacity: Count = 1_000

    def __post_init__(self) -> None:
        check(self)


@dataclasses.dataclass(frozen=True)
class ActorCriticConfig(RolloutConfig):
    """Of A2C and PPO.

    Attributes:
      torso: `mlp` sees states, and policy and critic share nothing; `atari` sees images by
        convolutions and dense layers that both share (DQN's torso).
      hidden_layers: units, first to last, of the policy and of the critic; of `atari` behind the
        convolutions.
      activation: of the hidden layers; those of `atari` are rectifiers.
      channels, kernels, strides: of the convolutions; nothing is padded.
      initial_stddev: of continuous actions before they are cut to their bounds, where a bound lies
        1 from the middle.
      normalise_observations: by mean and deviation of all that was learned from, cut to [−10, 10];
        the statistics are saved and served with the policy.
      normalise_rewards: by the deviation of the critic's targets over all that was learned from, so
        that these have deviation 1 whatever the task's scale.
      trace: λ of the advantages (GAE); 1: the return of the rest of the rollout and its bootstrap.
    """

    torso: Literal["mlp", "atari"] = "mlp"
    hidden_layers: tuple[Count, ...] = (64, 64)
    channels: tuple[Count, ...] = (32, 64, 64)
    kernels: tuple[Count, ...] = (8, 4, 3)
    strides: tuple[Count, ...] = (4, 2, 1)
    activation: Literal["relu", "elu", "swish", "tanh"] = "tanh"
    initial_stddev: Positive = 0.5
    normalise_observations: bool = False
    normalise_rewards: bool = False
    trace: Share = 1.0

    def __post_init__(self) -> None:
        check(self)
        fits = len(self.kernels) == len(self.channels) == len(self.strides)
        expect(self, "kernels", fits, f"one for each of channels and strides, {len(self.channels)}")
        if self.torso == "atari":
            states = not self.normalise_observations
            expect(self, "normalise_observations", states, "False with the torso 'atari'")
