"""Settings that DQN and R2D2 share, with units."""

from __future__ import annotations

import dataclasses
from typing import Literal

from agents.config import Count, Natural, Positive, Scale, Share, ShareBelowOne, check, expect


@dataclasses.dataclass(frozen=True)
class QConfig:
    """Of agents that learn Q from replay; defaults are those of Mnih et al. 2015, table 1.

    Attributes:
      torso: `atari`, the paper's three convolutions, or `mlp`.
      frame_stack: S, observations that Q sees, the newest last; before an episode there are zeros.
      channels, kernels, strides: of the convolutions, first to last.
      hidden_layers: units of the dense layers of Q's head, or of each of its two streams.
      dueling: Q = V + A − mean A (Wang et al. 2016, equation 9).

      discount: γ a step, beside the environment's own.
      n_step: steps of reward before Q of the target network stands for the rest.
      double: the online network chooses the action whose value the target network gives (van
        Hasselt et al. 2016); else the target network does both.
      clip_rewards: to [−1, 1] where they are learned from; what is reported stays the game's.
      target_period: updates after which the target network becomes the online one. DQN's
        table says "parameter updates", its authors' code counts steps: 2500 updates.

      optimizer: `rmsprop`, the centred one of the paper, or `adam`.
      learning_rate: at first.
      decay_updates: it falls to 0 linearly over so many; None: it stays.
      momentum, rms_decay: of `rmsprop`: of the gradient, and of its moments.
      epsilon: under the root (`rmsprop`), or beside it (`adam`).
      gradient_clip: largest global norm of a gradient; None: any.

      batch_size: B.
      replay_capacity: items.
      replay_sampler: `uniform`; `prioritized`, by what was wrong in them; or `fifo`, the oldest
        ones again and again, which makes runs repeatable, for tests.
      initial_priority: of items that were never sampled.
      priority_exponent: of `prioritized` (Schaul et al. 2016): ω, α there.
      importance_exponents: β of the weights that make up for it, at first and at last; 0: none.
      importance_updates: over which it changes linearly.
      seed_steps: of uniformly random play before the first update.
      rollout: steps in each environment between updates.
      updates_per_step: of the environment, averaged.

      exploration: ε, with which an action is uniformly random: at first and at last.
      exploration_updates: over which it falls linearly; the paper's million steps, of which an
        update takes four.
      ladder: α of Horgan et al. 2018, "Distributed prioritized experience replay": row i of N
        explores by ε^(1 + α i / (N − 1)), so that some rows explore for ever; 0: all do alike.
      evaluation_exploration: ε where the policy is judged, and as it is served.
    """

    torso: Literal["atari", "mlp"] = "atari"
    frame_stack: Count = 4
    channels: tuple[Count, ...] = (32, 64, 64)
    kernels: tuple[Count, ...] = (8, 4, 3)
    strides: tuple[Count, ...] = (4, 2, 1)
    hidden_layers: tuple[Count, ...] = (512,)
    dueling: bool = False

    discount: Share = 0.99
    n_step: Count = 1
    double: bool = False
    clip_rewards: bool = True
    target_period: Count = 10_000

    optimizer: Literal["rmsprop", "adam"] = "rmsprop"
    learning_rate: Scale = 2.5e-4
    decay_updates: Count | None = None
    momentum: ShareBelowOne = 0.95
    rms_decay: ShareBelowOne = 0.95
    epsilon: Positive = 0.01
    gradient_clip: Positive | None = None

    batch_size: Count = 32
    replay_capacity: Count = 1_000_000
    replay_sampler: Literal["uniform", "prioritized", "fifo"] = "uniform"
    initial_priority: Positive = 1.0
    priority_exponent: Scale = 0.5
    importance_exponents: tuple[Scale, ...] = (0.4, 1.0)
    importance_updates: Count = 12_500_000
    seed_steps: Natural = 50_000
    rollout: Count = 4
    updates_per_step: Scale = 0.25

    exploration: tuple[Share, ...] = (1.0, 0.1)
    exploration_updates: Count = 250_000
    ladder: Scale = 0.0
    evaluation_exploration: Share = 0.05

    def __post_init__(self) -> None:
        check(self)
        expect(self, "exploration", len(self.exploration) == 2, "two numbers, the first and last ε")
        fits = len(self.importance_exponents) == 2
        expect(self, "importance_exponents", fits, "two numbers, the first and last β")
        for field in ("kernels", "strides"):
            fits = len(getattr(self, field)) == len(self.channels)
            expect(self, field, fits, f"{len(self.channels)} numbers, one for each of channels")
