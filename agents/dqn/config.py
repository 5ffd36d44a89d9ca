"""DQN's settings, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Literal

import gin

from agents.config import Count, Natural, Positive, Scale, Share, ShareBelowOne, check, expect


@gin.configurable
@dataclasses.dataclass(frozen=True)
class DQNConfig:
    """Mnih et al. 2015, "Human-level control through deep reinforcement learning", table 1.

    Attributes:
      torso: `atari`, the paper's three convolutions, or `mlp`.
      frame_stack: S, observations that Q sees, the newest last; before an episode there are zeros.
      channels, kernels, strides: of the convolutions, first to last.
      hidden_layers: units of the dense layers behind them.
      dueling: Q = V + A − mean A (Wang et al. 2016, equation 9).

      discount: γ a step, beside the environment's own.
      n_step: steps of reward before Q of the target network stands for the rest.
      double: the online network chooses the action whose value the target network gives (van
        Hasselt et al. 2016); else the target network does both.
      loss: `huber`, whose gradient is the temporal difference cut to [−1, 1], as in the paper; or
        `squared`.
      clip_rewards: to [−1, 1] where they are learned from; what is reported stays the game's.
      target_period: updates after which the target network becomes the online one. The paper's
        table says "parameter updates", the authors' code counts steps: 2500 updates.

      optimizer: `rmsprop`, the centred one of the paper, or `adam`.
      learning_rate: at first.
      decay_updates: it falls to 0 linearly over so many; None: it stays.
      momentum, rms_decay: of `rmsprop`: of the gradient, and of its moments.
      epsilon: under the root (`rmsprop`), or beside it (`adam`).
      gradient_clip: largest global norm of a gradient; None: any.

      batch_size: B.
      replay_capacity: transitions.
      replay_sampler: `uniform`; or `fifo`, the oldest ones again and again, which makes runs
        repeatable, for tests.
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
    loss: Literal["huber", "squared"] = "huber"
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
    replay_sampler: Literal["uniform", "fifo"] = "uniform"
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
        for field in ("kernels", "strides"):
            fits = len(getattr(self, field)) == len(self.channels)
            expect(self, field, fits, f"{len(self.channels)} numbers, one for each of channels")
