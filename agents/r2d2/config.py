"""R2D2's settings, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Literal

import gin

from agents.config import Count, Natural, Positive, Scale, Share, expect
from agents.q_learning.config import QConfig


@gin.configurable
@dataclasses.dataclass(frozen=True)
class R2D2Config(QConfig):
    """Kapturowski et al. 2019, "Recurrent experience replay in distributed RL", table 2.

    Attributes:
      torso_layers: units of dense layers between the torso and the core; the paper has none.
      core_size: units of the LSTM, which sees the last action too.
      sequence_length: T, rows of an item, the burn-in included: 80 behind a prefix of 40.
      burn_in: rows of each that only warm the memory up.
      period: rows between the beginnings of two sequences of an episode.
      rescale_values: Q is h(return), h(x) = sign(x)(√(|x| + 1) − 1) + 0.001 x; else the return.
      max_share: η of a sequence's priority, η max |δ| + (1 − η) mean |δ|.
    """

    torso_layers: tuple[Count, ...] = ()
    core_size: Count = 512
    sequence_length: Count = 120
    burn_in: Natural = 40
    period: Count = 40
    rescale_values: bool = True
    max_share: Share = 0.9

    dueling: bool = True
    discount: Share = 0.997
    n_step: Count = 5
    double: bool = True
    clip_rewards: bool = False
    target_period: Count = 2500
    optimizer: Literal["rmsprop", "adam"] = "adam"
    learning_rate: Scale = 1e-4
    epsilon: Positive = 1e-3
    batch_size: Count = 64
    replay_capacity: Count = 100_000
    replay_sampler: Literal["uniform", "prioritized", "fifo"] = "prioritized"
    priority_exponent: Scale = 0.9
    importance_exponents: tuple[Scale, ...] = (0.6, 0.6)
    seed_steps: Natural = 200_000
    updates_per_step: Scale = 1 / 6400
    exploration: tuple[Share, ...] = (0.4, 0.4)
    ladder: Scale = 7.0
    evaluation_exploration: Share = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        learned, burn_in = self.sequence_length - self.burn_in, self.burn_in
        expect(self, "sequence_length", learned > 0, f"more than burn_in ({burn_in})")
        most = f"at most {learned}, what burn_in ({burn_in}) leaves of {self.sequence_length} rows"
        expect(self, "n_step", self.n_step <= learned, most)
        expect(self, "period", self.period <= learned, most)
