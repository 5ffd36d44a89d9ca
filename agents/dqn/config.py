"""DQN's settings, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Literal

import gin

from agents.config import Count, Number, Positive, expect
from agents.q_learning.config import QConfig


@gin.configurable
@dataclasses.dataclass(frozen=True)
class DQNConfig(QConfig):
    """Mnih et al. 2015, "Human-level control through deep reinforcement learning", table 1.

    With all switches of Hessel et al. 2018, "Rainbow": `double`, `dueling`, `n_step`, `noise`,
    `distributional` and the sampler `prioritized`.

    Attributes:
      loss: `huber`, whose gradient is the temporal difference cut to [−1, 1], as in the paper; or
        `squared`. Not used where Q is distributional: its loss is a cross-entropy.
      distributional: Q is the mean of a distribution over returns (Bellemare et al. 2017, C51).
      num_atoms, min_return, max_return: the returns that its categories stand for.
      noise: σ₀ of noisy dense layers (Fortunato et al. 2018), which explore in the place of ε,
        for which `exploration` has to be set to 0; their noise is drawn anew at each step and
        update, and left out where the policy is judged. None: layers are plain.
    """

    loss: Literal["huber", "squared"] = "huber"
    distributional: bool = False
    num_atoms: Count = 51
    min_return: Number = -10.0
    max_return: Number = 10.0
    noise: Positive | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(self, "num_atoms", self.num_atoms > 1, "at least 2")
        above = self.max_return > self.min_return
        expect(self, "max_return", above, f"more than min_return ({self.min_return})")
