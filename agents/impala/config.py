"""IMPALA's settings, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Literal

import gin

from agents.actor_critic.config import RolloutConfig
from agents.config import Count, Positive, Scale, ShareBelowOne, expect


@gin.configurable
@dataclasses.dataclass(frozen=True)
class ImpalaConfig(RolloutConfig):
    """Espeholt et al. 2018, "IMPALA", figure 3 and the tables of its appendix for Atari.

    Attributes:
      torso: `shallow`, plain convolutions; `deep`, residual ones; or `mlp`, dense layers alone.
      frame_stack: S, observations that are seen together, the newest last.
      channels, kernels, strides: of the shallow torso's convolutions, first to last.
      deep_channels: of the deep torso's sections.
      hidden_layers: units of the dense layers behind the convolutions.
      activation: of all dense layers of the torso `mlp`; convolutions have rectifiers.
      core_size: units of an LSTM behind those, which sees the last action too; None: there is none,
        as in the paper's agents for Atari.

      batch_size: B, rollouts an update; as many are taken from the queue, each once.
      clip_rewards: to [−1, 1] where they are learned from; what is reported stays the game's.
      reduction: of the loss over a batch's rows: `sum`, the paper's, or `mean`.
      optimizer: `rmsprop`, the paper's, not centred; or `adam`.
      rms_decay, momentum: of `rmsprop`.
    """

    torso: Literal["shallow", "deep", "mlp"] = "shallow"
    frame_stack: Count = 4
    channels: tuple[Count, ...] = (16, 32)
    kernels: tuple[Count, ...] = (8, 4)
    strides: tuple[Count, ...] = (4, 2)
    deep_channels: tuple[Count, ...] = (16, 32, 32)
    hidden_layers: tuple[Count, ...] = (256,)
    activation: Literal["relu", "elu", "swish", "tanh"] = "relu"
    core_size: Count | None = None

    batch_size: Count = 32
    clip_rewards: bool = True
    reduction: Literal["sum", "mean"] = "sum"
    optimizer: Literal["rmsprop", "adam"] = "rmsprop"
    rms_decay: ShareBelowOne = 0.99
    momentum: ShareBelowOne = 0.0

    learning_rate: Scale = 6e-4
    epsilon: Positive = 0.01
    gradient_clip: Positive | None = 40.0

    def __post_init__(self) -> None:
        super().__post_init__()
        enough = self.queue_capacity >= self.batch_size
        expect(self, "queue_capacity", enough, f"at least batch_size ({self.batch_size})")
        for field in ("kernels", "strides"):
            fits = len(getattr(self, field)) == len(self.channels)
            expect(self, field, fits, f"{len(self.channels)} numbers, one for each of channels")
