"""MuZero's settings: the paper's Atari values, with their sources. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import gin

from agents.config import AtLeast, AtMost, Count, Natural, Positive, Scale, Share, expect
from agents.searching.config import SearchingConfig


@gin.configurable
@dataclasses.dataclass(frozen=True)
class MuZeroConfig(SearchingConfig):
    """Schrittwieser et al. 2020, "Mastering Atari, Go, chess and shogi by planning with a learned
    model"; Reanalyze is its appendix H.

    What is not named here is in `SearchingConfig`.

    Attributes:
      torso: `atari` shrinks images by 16 before its residual blocks, `board` keeps the board's
        size, `mlp` takes vectors.
      frame_stack: S, observations that the representation sees, with the actions that led to them
        where S > 1. Boards stack positions themselves.
      latent_size, hidden_layers: of the `mlp` torso.
      downsampling_blocks: residual blocks of `atari` behind each of its first three halvings.
      head_channels, head_layers: 1×1 convolution and dense layers in front of each output.
      latent_scaling: `min_max` scales each latent state to [0, 1].
      action_planes: how an action enters a latent image: `tiled`, one plane for each action;
        `index`, one plane of a / A; `cells`, the plane's cell for actions that are cells (more
        planes where a cell has several, none for a pass); `columns`, a column for each action.
      value_limit: values and rewards are categories over ±limit of h(x); None: plain numbers, for
        games whose values are in [−1, 1].
      value_epsilon: ε of h.
      unroll_steps: K, steps of the model that an update learns through.
      n_step: n of the value target; None: the outcome of the game.
      discount: γ; negative where two players take turns.
      latent_gradient: share of the gradient that passes each step of the dynamics.
      policy_scale, value_scale, reward_scale: weights of the losses.
      consistency_scale: weight of EfficientZero's self-supervised loss (Ye et al. 2021, equation 3;
        theirs is 2): what the dynamics arrive at is drawn to what the representation makes of the
        observation there; 0: no such loss (the paper).
      projection_size: of the vectors that are compared; the layer between them is half as wide.
      loss_weights: `unrolled` gives each of the K steps the weight 1/K, as the paper's pseudocode,
        `equal` weighs all K + 1 positions alike.
      mirror: half of the positions that are learned from are turned left to right, for symmetric
        games whose actions are columns.
      replay_sampler: `prioritized` or `uniform`; `fifo`, the oldest one again and again, makes runs
        that repeat bit for bit.
      priority_exponent, importance_exponent: α and β of prioritised replay.
      min_priority: added to |search value − n-step return|.
      update_priorities: whether priorities are written back, as |predicted − target value|.
      search: `muzero` (PUCT, Dirichlet noise) or `gumbel` (Danihelka et al. 2022).
      reanalyze_fraction: share of positions whose targets are searched anew; 0: none.
      value_refresh_fraction: share of positions whose values are bootstrapped anew, without a
        search, by the network of the last `target_period` updates (Ye et al. 2021); those of the
        `reanalyze_fraction` are in any case. 0: by what was searched when they were collected.
      target_period: updates between copies to the network that Reanalyze and values anew take.
    """

    torso: Literal["atari", "board", "mlp"] = "atari"
    frame_stack: Count = 32
    latent_size: Count = 64
    hidden_layers: tuple[Count, ...] = (128,)
    blocks: Natural = 16
    downsampling_blocks: tuple[Natural, ...] = (2, 3, 3)
    head_channels: Count = 2
    head_layers: tuple[Count, ...] = (256,)
    latent_scaling: Literal["min_max", "none"] = "min_max"
    action_planes: Literal["tiled", "index", "cells", "columns"] = "index"
    value_limit: Count | None = 300
    value_epsilon: Scale = 0.001
    unroll_steps: Count = 5
    n_step: Count | None = 10
    discount: Annotated[float, AtLeast(-1), AtMost(1)] = 0.997
    latent_gradient: Share = 0.5
    policy_scale: Scale = 1.0
    value_scale: Scale = 1.0
    reward_scale: Scale = 1.0
    consistency_scale: Scale = 0.0
    projection_size: Annotated[int, AtLeast(2)] = 1024
    loss_weights: Literal["unrolled", "equal"] = "unrolled"
    learning_rate: Scale = 0.05
    mirror: bool = False
    batch_size: Count = 1024
    replay_sampler: Literal["prioritized", "uniform", "fifo"] = "prioritized"
    priority_exponent: Scale = 1.0
    importance_exponent: Scale = 1.0
    min_priority: Scale = 1e-3
    update_priorities: bool = True
    seed_episodes: Natural = 1
    updates_per_step: Scale = 0.1 / 1024
    search: Literal["muzero", "gumbel"] = "muzero"
    num_simulations: Count = 50
    dirichlet_alpha: Positive = 0.25
    q_scale: Literal["tree", "siblings", "bounds"] = "tree"
    temperatures: tuple[Scale, ...] = (1.0, 0.5, 0.25)
    temperature_updates: tuple[Natural, ...] = (500_000, 750_000)
    temperature_moves: Natural | None = None
    reanalyze_fraction: Share = 0.0
    value_refresh_fraction: Share = 0.0
    target_period: Count = 100

    @property
    def context(self) -> int:
        """C, rows of a replayed trajectory before the position that it is about."""
        return self.frame_stack if self.frame_stack > 1 else 0

    @property
    def length(self) -> int:
        """T, rows of a replayed trajectory: the context, K + 1 positions, what values anew read."""
        bootstrap = self.n_step if self.refreshes and self.n_step else 0
        return self.context + self.unroll_steps + 1 + bootstrap

    @property
    def refreshes(self) -> bool:
        """Whether targets of what is replayed are made anew."""
        return max(self.reanalyze_fraction, self.value_refresh_fraction) > 0

    def _check_relations(self) -> None:
        super()._check_relations()
        expect(self, "discount", self.discount != 0, "−1 to 1 and not 0")
        expect(
            self,
            "downsampling_blocks",
            self.torso != "atari" or len(self.downsampling_blocks) == 3,
            "3 numbers, one for each of the first three halvings",
        )
        expect(
            self,
            "value_refresh_fraction",
            self.value_refresh_fraction == 0 or self.n_step is not None,
            "0 with n_step None: a game's outcome is bootstrapped by nothing",
        )
        expect(
            self,
            "mirror",
            not self.mirror or self.action_planes == "columns",
            f"False with action_planes {self.action_planes!r}: only columns are known to have a "
            "mirror image",
        )
