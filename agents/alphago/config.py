"""AlphaGo's settings: the paper's, with their sources. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import gin

from agents.boards.symmetries import Symmetries
from agents.config import AtLeast, AtMost, Count, Natural, Positive, Scale, Share, ShareBelowOne
from agents.searching.config import SearchingConfig


@gin.configurable
@dataclasses.dataclass(frozen=True)
class AlphaGoConfig(SearchingConfig):
    """Silver et al. 2016, "Mastering the game of Go with deep neural networks and tree search",
    methods and extended data tables.

    What is not named here is in `SearchingConfig`; `blocks` and `normalisation` have no meaning
    here: the networks are plain convolutions. `batch_size` and `learning_rate` are those of p_σ.

    Attributes:
      sgf_folder: of the expert games, as SGF files; its folders are searched too.
      held_out: share of these games that nothing is learned from.
      held_out_interval: updates between measurements on positions of these, `held_out_positions` of
        them at most.
      symmetries: an update sees each position turned at random.
      layers: convolutions of p_σ before the last one; v_θ has one more.
      value_units: of the dense layer of v_θ.
      ladder_moves: read for a ladder at most, by the input planes; 0: ladders are not read.
      nakade: whether p_π has features of shapes that were taken; the paper does not say what its
        are.
      supervised_updates, rollout_updates: of p_σ and p_π on the experts' moves.
      rollout_batch_size, rollout_learning_rate: of p_π, which Adam fits.
      reinforce_updates: of p_ρ, each on one round of games; 0: p_ρ is p_σ.
      reinforce_learning_rate: of its steps.
      pool_interval: updates after which p_ρ joins its own opponents.
      pool_size: opponents; the newest takes the place of the oldest.
      value_games: that v_θ learns from.
      value_positions: `one` of each game, the one behind its random move, or `all` behind that,
        which are so alike that v_θ remembers games.
      value_last_move: the random move's number is drawn from 0 to this, which is left out.
      value_batch_size, value_learning_rate: of v_θ.
      value_held_out: share of these games that is measured only.
      updates_per_step: of v_θ, for each move that was played for it.
      replay_capacity: positions of its games.
      play: who plays, is evaluated and saved: `search`, or one network's likeliest move: of p_σ
        (`supervised`) or of p_ρ (`reinforced`).
      mixing: λ: a leaf is worth (1 − λ) v_θ + λ z, z the outcome of a rollout by p_π.
      rollout_policy: who plays the rollouts: p_π (`linear`) or nobody (`uniform`, all moves alike).
      expansion_threshold: visits of a position before the search looks behind it; each is another
        rollout from there.
      prior_temperature: of p_σ, where it is the search's prior: the paper's β is 1 over it.
      figure_rollouts: of p_σ and of p_ρ from each position of the figure of errors, beside those of
        p_π; each of their moves takes a network's answer.
      pb_c_init: c_puct; it stays so, as `pb_c_base` is large.
    """

    sgf_folder: str = ""
    held_out: Share = 0.05
    held_out_interval: Count = 1000
    held_out_positions: Count = 2000
    symmetries: Symmetries = "dihedral"
    layers: Count = 12
    channels: Count = 192
    value_units: Count = 256
    ladder_moves: Annotated[int, AtLeast(0), AtMost(200)] = 100
    nakade: bool = False
    supervised_updates: Natural = 340_000_000
    batch_size: Count = 16
    learning_rate: Scale = 0.003
    momentum: ShareBelowOne = 0.0
    weight_decay: Scale = 0.0
    decay_rate: Positive = 0.5
    decay_steps: Count = 80_000_000
    rollout_updates: Natural = 500_000
    rollout_batch_size: Count = 64
    rollout_learning_rate: Scale = 0.01
    reinforce_updates: Natural = 10_000
    reinforce_learning_rate: Scale = 0.003
    pool_interval: Count = 500
    pool_size: Count = 20
    value_games: Natural = 30_000_000
    value_positions: Literal["one", "all"] = "one"
    value_last_move: Count = 450
    value_batch_size: Count = 32
    value_learning_rate: Scale = 0.003
    value_held_out: Share = 0.05
    updates_per_step: Scale = 50_000_000 / (30_000_000 * 200)
    replay_capacity: Count = 30_000_000
    play: Literal["search", "supervised", "reinforced"] = "search"
    search: Literal["puct"] = "puct"
    mixing: Share = 0.5
    rollout_policy: Literal["linear", "uniform"] = "linear"
    expansion_threshold: Count = 40
    prior_temperature: Positive = 1.5
    figure_rollouts: Natural = 0
    pb_c_init: Scale = 5.0
    pb_c_base: Positive = 1e9
    fpu_reduction: Scale | None = 0.0
    dirichlet_fraction: Share = 0.0
    temperature_moves: Natural | None = 0
