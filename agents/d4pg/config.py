"""D4PG's settings, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Literal

import gin

from agents.config import Count, Natural, Number, Positive, Scale, Share, check, expect


@gin.configurable
@dataclasses.dataclass(frozen=True)
class D4PGConfig:
    """Barth-Maron et al. 2018, "Distributed distributional deterministic policy gradients".

    Attributes:
      torso: `states`; or `pixels`, the suite paper's: two convolutions of 3×3, a dense layer with
        layer normalisation and tanh (Tassa et al. 2018, section 4), which the critic's loss trains.
      frame_stack: S, observations that the networks see, the newest last.
      pixel_channels: of both convolutions, whose strides are 2 and 1.
      pixel_features: units of the dense layer behind them.
      policy_layers, critic_layers: units, first to last; the first has layer normalisation and
        tanh, the others ELU.
      num_atoms, min_return, max_return: the returns that the critic's categories stand for.

      discount: γ a step, beside the environment's own.
      n_step: steps of reward before the target critic stands for the rest.
      target_period: updates after which the target networks become the online ones.
      policy_learning_rate, critic_learning_rate: Adam's.
      gradient_clip: largest global norm of either gradient; None: any.
      dqda_clip: largest norm of the critic's gradient to an action; None: any.

      batch_size: B.
      replay_capacity: transitions.
      replay_sampler: `uniform`; `prioritized`, by the critic's loss; or `fifo`, the oldest ones
        again and again, which makes runs repeatable, for tests.
      priority_exponent: of `prioritized`.
      importance_exponent: of the weights that make up for it; 0: none.
      min_priority: added to each loss.
      seed_steps: of uniformly random play before the first update.
      rollout: steps in each environment between updates.
      updates_per_step: of the environment, averaged.

      noise: σ, deviation of what is added to actions in [−1, 1] before they are cut to it.
      noise_ladder: row i of N has σ · ladder^(i / (N − 1)), so that rows explore unlike; 1: alike.
    """

    torso: Literal["states", "pixels"] = "states"
    frame_stack: Count = 1
    pixel_channels: Count = 32
    pixel_features: Count = 50
    policy_layers: tuple[Count, ...] = (300, 200)
    critic_layers: tuple[Count, ...] = (400, 300)
    num_atoms: Count = 51
    min_return: Number = 0.0
    max_return: Number = 100.0

    discount: Share = 0.99
    n_step: Count = 5
    target_period: Count = 100
    policy_learning_rate: Scale = 1e-4
    critic_learning_rate: Scale = 1e-4
    gradient_clip: Positive | None = None
    dqda_clip: Positive | None = None

    batch_size: Count = 256
    replay_capacity: Count = 1_000_000
    replay_sampler: Literal["uniform", "prioritized", "fifo"] = "uniform"
    priority_exponent: Scale = 0.6
    importance_exponent: Scale = 0.4
    min_priority: Positive = 1e-3
    seed_steps: Natural = 1000
    rollout: Count = 8
    updates_per_step: Scale = 0.125

    noise: Scale = 0.3
    noise_ladder: Positive = 1.0

    def __post_init__(self) -> None:
        check(self)
        expect(self, "num_atoms", self.num_atoms > 1, "at least 2")
        above = self.max_return > self.min_return
        expect(self, "max_return", above, f"more than min_return ({self.min_return})")
        for name in ("policy_layers", "critic_layers"):
            expect(self, name, len(getattr(self, name)) > 0, "at least one layer")
