"""MuZero's settings: the paper's Atari values, with their sources. gin files hold deviations."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import gin

from agents.config import check_at_least, check_types

_AT_LEAST_ONE = (
    "frame_stack",
    "latent_size",
    "hidden_layers",
    "channels",
    "head_channels",
    "head_layers",
    "unroll_steps",
    "n_step",
    "batch_size",
    "replay_capacity",
    "decay_steps",
    "num_simulations",
    "evaluation_simulations",
    "served_simulations",
    "max_considered_actions",
    "target_period",
    "max_depth",
    "value_limit",
)
_AT_LEAST_ZERO = (
    "blocks",
    "downsampling_blocks",
    "seed_episodes",
    "updates_per_step",
    "updates_per_episode",
    "value_epsilon",
    "latent_gradient",
    "policy_scale",
    "value_scale",
    "reward_scale",
    "weight_decay",
    "learning_rate",
    "momentum",
    "priority_exponent",
    "importance_exponent",
    "min_priority",
    "dirichlet_fraction",
    "dirichlet_alpha",
    "pb_c_init",
    "pb_c_base",
    "fpu_reduction",
    "gumbel_value_scale",
    "gumbel_maxvisit_init",
    "temperature_moves",
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
    frame_stack: int = 32
    latent_size: int = 64
    hidden_layers: tuple[int, ...] = (128,)
    channels: int = 256
    blocks: int = 16
    downsampling_blocks: tuple[int, ...] = (2, 3, 3)
    head_channels: int = 2
    head_layers: tuple[int, ...] = (256,)
    normalisation: Literal["batch", "layer", "none"] = "batch"
    latent_scaling: Literal["min_max", "none"] = "min_max"
    action_planes: Literal["tiled", "index", "cells", "columns"] = "index"
    value_limit: int | None = 300
    value_epsilon: float = 0.001
    unroll_steps: int = 5
    n_step: int | None = 10
    discount: float = 0.997
    latent_gradient: float = 0.5
    policy_scale: float = 1.0
    value_scale: float = 1.0
    reward_scale: float = 1.0
    loss_weights: Literal["unrolled", "equal"] = "unrolled"
    weight_decay: float = 1e-4
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 0.05
    momentum: float = 0.9
    decay_rate: float = 0.1
    decay_steps: int = 350_000
    gradient_clip: float | None = None
    average_decay: float | None = None
    mirror: bool = False
    batch_size: int = 1024
    replay_capacity: int = 1_000_000
    replay_sampler: Literal["prioritized", "uniform", "fifo"] = "prioritized"
    priority_exponent: float = 1.0
    importance_exponent: float = 1.0
    min_priority: float = 1e-3
    update_priorities: bool = True
    seed_episodes: int = 1
    updates_per_episode: int = 0
    updates_per_step: float = 0.1 / 1024
    search: Literal["muzero", "gumbel"] = "muzero"
    num_simulations: int = 50
    evaluation_simulations: int | None = None
    served_simulations: int | None = None
    max_depth: int | None = None
    dirichlet_fraction: float = 0.25
    dirichlet_alpha: float = 0.25
    pb_c_init: float = 1.25
    pb_c_base: float = 19652.0
    q_scale: Literal["tree", "siblings", "bounds"] = "tree"
    fpu_reduction: float | None = None
    max_considered_actions: int = 16
    gumbel_value_scale: float = 0.1
    gumbel_maxvisit_init: float = 50.0
    temperatures: tuple[float, ...] = (1.0, 0.5, 0.25)
    temperature_updates: tuple[int, ...] = (500_000, 750_000)
    temperature_moves: int | None = None
    reanalyze_fraction: float = 0.0
    target_period: int = 100
    search_backend: Literal["auto", "native", "tensorflow"] = "auto"
    jit_compile: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        check_at_least(self, 1, _AT_LEAST_ONE)
        check_at_least(self, 0, (*_AT_LEAST_ZERO, "temperatures", "temperature_updates"))
        self._check_ranges()

    @property
    def context(self) -> int:
        """C, rows of a replayed trajectory before the position that it is about."""
        return self.frame_stack if self.frame_stack > 1 else 0

    @property
    def length(self) -> int:
        """T, rows of a replayed trajectory: the context, K + 1 positions, what Reanalyze reads."""
        bootstrap = self.n_step if self.reanalyze_fraction > 0 and self.n_step else 0
        return self.context + self.unroll_steps + 1 + bootstrap

    def _check_ranges(self) -> None:
        if not -1.0 <= self.discount <= 1.0 or self.discount == 0:
            raise ValueError(f"MuZeroConfig.discount = {self.discount}; expected −1 to 1 and not 0")
        for name in ("reanalyze_fraction", "dirichlet_fraction", "latent_gradient"):
            if not getattr(self, name) <= 1:
                raise ValueError(f"MuZeroConfig.{name} = {getattr(self, name)}; expected 0 to 1")
        if self.gradient_clip is not None and not 0 < self.gradient_clip < math.inf:
            raise ValueError(
                f"MuZeroConfig.gradient_clip = {self.gradient_clip}; expected a positive number"
            )
        if self.average_decay is not None and not 0 < self.average_decay < 1:
            raise ValueError(
                f"MuZeroConfig.average_decay = {self.average_decay}; expected a number between 0 "
                "and 1, or None"
            )
        if self.mirror and self.action_planes != "columns":
            raise ValueError(
                "MuZeroConfig.mirror = True; expected False with action_planes "
                f"{self.action_planes!r}: only columns are known to have a mirror image"
            )
        if self.fpu_reduction is not None and self.q_scale != "bounds":
            raise ValueError(
                f"MuZeroConfig.fpu_reduction = {self.fpu_reduction}; expected None with q_scale "
                f"{self.q_scale!r}"
            )
        if len(self.temperatures) != len(self.temperature_updates) + 1:
            raise ValueError(
                f"MuZeroConfig.temperatures = {self.temperatures}; expected one more than "
                f"temperature_updates, which are {len(self.temperature_updates)}"
            )
        if not self.updates_per_step and not self.updates_per_episode:
            raise ValueError(
                "MuZeroConfig.updates_per_step and updates_per_episode are both 0; expected one "
                "above 0, or nothing is learned"
            )
