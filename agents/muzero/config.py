"""MuZero's settings: the paper's Atari values, with their sources. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import gin

from agents.config import (
    AtLeast,
    AtMost,
    Count,
    LessThan,
    MoreThan,
    Natural,
    Positive,
    Scale,
    Share,
    ShareBelowOne,
    check,
    expect,
)


@gin.configurable
@dataclasses.dataclass(frozen=True)
class MuZeroConfig:
    """Schrittwieser et al. 2020, "Mastering Atari, Go, chess and shogi by planning with a learned
    model"; Reanalyze is its appendix H.

    Attributes:
      torso: `atari` shrinks images by 16 before its residual blocks, `board` keeps the board's
        size, `mlp` takes vectors.
      frame_stack: S, observations that the representation sees, with the actions that led to them
        where S > 1. Boards stack positions themselves.
      latent_size, hidden_layers: of the `mlp` torso.
      channels, blocks: of the residual torsos.
      downsampling_blocks: residual blocks of `atari` behind each of its first three halvings.
      head_channels, head_layers: 1×1 convolution and dense layers in front of each output.
      normalisation: behind each convolution (and each dense layer of the `mlp` torso).
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
      loss_weights: `unrolled` gives each of the K steps the weight 1/K, as the paper's pseudocode,
        `equal` weighs all K + 1 positions alike.
      weight_decay: of the squared weights, in the loss; for Adam taken off the weights themselves.
      optimizer, learning_rate, momentum: momentum is SGD's.
      decay_rate, decay_steps: the learning rate is rate ** (updates / steps) of what it was.
      gradient_clip: by global norm; None: not at all.
      average_decay: who acts has the weights' average, which keeps so much of itself at an update
        and less at first, (1 + updates) / (10 + updates); None: the weights themselves (the paper).
      mirror: half of the positions that are learned from are turned left to right, for symmetric
        games whose actions are columns.
      batch_size: B, positions of an update.
      replay_capacity: positions that the table holds.
      replay_sampler: `prioritized` or `uniform`; `fifo`, the oldest one again and again, makes runs
        that repeat bit for bit.
      priority_exponent, importance_exponent: α and β of prioritised replay.
      min_priority: added to |search value − n-step return|.
      update_priorities: whether priorities are written back, as |predicted − target value|.
      seed_episodes: of uniformly random moves, before the first update.
      updates_per_episode, updates_per_step: how much is learned for what is collected; the paper
        draws 0.1 samples for each state, so 0.1 / batch_size.
      search: `muzero` (PUCT, Dirichlet noise) or `gumbel` (Danihelka et al. 2022).
      num_simulations: N of a move; evaluation_simulations: None: as many.
      served_simulations: the most that whoever is served may ask for; None: those of evaluation.
      max_depth: of a walk; None: no limit.
      dirichlet_fraction, dirichlet_alpha: noise at the root, when collecting.
      pb_c_init, pb_c_base: c₁ and c₂ of PUCT.
      q_scale: how values in the tree become comparable with the prior: by the least and greatest of
        the `tree` (the paper), of a node's `siblings` (mctx), or by the known `bounds` −1 and 1.
      fpu_reduction: first-play urgency, with `bounds`: an action not yet tried counts as its node's
        value less so much; None: as a loss (the paper's pseudocode).
      max_considered_actions: at the root of a `gumbel` search.
      gumbel_value_scale, gumbel_maxvisit_init: c_scale and c_visit of a `gumbel` search; its values
        are rescaled to [0, 1] (as mctx does) unless `q_scale` is `bounds`.
      temperatures, temperature_updates: of the action's choice: the first value until the first
        number of updates is reached, and so on.
      temperature_moves: moves of a game after which the temperature is 0; None: never.
      reanalyze_fraction: share of positions whose targets are searched anew; 0: none.
      target_period: updates between copies to the network that bootstraps in Reanalyze.
      search_backend: of the tree search.
      jit_compile: the update through XLA.
    """

    torso: Literal["atari", "board", "mlp"] = "atari"
    frame_stack: Count = 32
    latent_size: Count = 64
    hidden_layers: tuple[Count, ...] = (128,)
    channels: Count = 256
    blocks: Natural = 16
    downsampling_blocks: tuple[Natural, ...] = (2, 3, 3)
    head_channels: Count = 2
    head_layers: tuple[Count, ...] = (256,)
    normalisation: Literal["batch", "layer", "none"] = "batch"
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
    loss_weights: Literal["unrolled", "equal"] = "unrolled"
    weight_decay: Scale = 1e-4
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: Scale = 0.05
    momentum: ShareBelowOne = 0.9
    decay_rate: Positive = 0.1
    decay_steps: Count = 350_000
    gradient_clip: Positive | None = None
    average_decay: Annotated[float, MoreThan(0), LessThan(1)] | None = None
    mirror: bool = False
    batch_size: Count = 1024
    replay_capacity: Count = 1_000_000
    replay_sampler: Literal["prioritized", "uniform", "fifo"] = "prioritized"
    priority_exponent: Scale = 1.0
    importance_exponent: Scale = 1.0
    min_priority: Scale = 1e-3
    update_priorities: bool = True
    seed_episodes: Natural = 1
    updates_per_episode: Natural = 0
    updates_per_step: Scale = 0.1 / 1024
    search: Literal["muzero", "gumbel"] = "muzero"
    num_simulations: Count = 50
    evaluation_simulations: Count | None = None
    served_simulations: Count | None = None
    max_depth: Count | None = None
    dirichlet_fraction: Share = 0.25
    dirichlet_alpha: Positive = 0.25
    pb_c_init: Scale = 1.25
    pb_c_base: Positive = 19652.0
    q_scale: Literal["tree", "siblings", "bounds"] = "tree"
    fpu_reduction: Scale | None = None
    max_considered_actions: Count = 16
    gumbel_value_scale: Scale = 0.1
    gumbel_maxvisit_init: Scale = 50.0
    temperatures: tuple[Scale, ...] = (1.0, 0.5, 0.25)
    temperature_updates: tuple[Natural, ...] = (500_000, 750_000)
    temperature_moves: Natural | None = None
    reanalyze_fraction: Share = 0.0
    target_period: Count = 100
    search_backend: Literal["auto", "native", "tensorflow"] = "auto"
    jit_compile: bool = False

    def __post_init__(self) -> None:
        check(self)
        self._check_relations()

    @property
    def context(self) -> int:
        """C, rows of a replayed trajectory before the position that it is about."""
        return self.frame_stack if self.frame_stack > 1 else 0

    @property
    def length(self) -> int:
        """T, rows of a replayed trajectory: the context, K + 1 positions, what Reanalyze reads."""
        bootstrap = self.n_step if self.reanalyze_fraction > 0 and self.n_step else 0
        return self.context + self.unroll_steps + 1 + bootstrap

    def _check_relations(self) -> None:
        expect(self, "discount", self.discount != 0, "−1 to 1 and not 0")
        expect(
            self,
            "downsampling_blocks",
            self.torso != "atari" or len(self.downsampling_blocks) == 3,
            "3 numbers, one for each of the first three halvings",
        )
        expect(
            self,
            "mirror",
            not self.mirror or self.action_planes == "columns",
            f"False with action_planes {self.action_planes!r}: only columns are known to have a "
            "mirror image",
        )
        expect(
            self,
            "fpu_reduction",
            self.fpu_reduction is None or self.q_scale == "bounds",
            f"None with q_scale {self.q_scale!r}",
        )
        expect(
            self,
            "temperatures",
            len(self.temperatures) == len(self.temperature_updates) + 1,
            f"one more than temperature_updates, which are {len(self.temperature_updates)}",
        )
        expect(
            self,
            "temperature_updates",
            list(self.temperature_updates) == sorted(self.temperature_updates),
            "none before the one in front of it",
        )
        if not self.updates_per_step and not self.updates_per_episode:
            raise ValueError(
                "MuZeroConfig.updates_per_step and updates_per_episode are both 0; expected one "
                "above 0, or nothing is learned"
            )
