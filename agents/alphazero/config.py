"""AlphaZero's settings: the paper's for chess, with their sources. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import gin

from agents.boards.symmetries import Symmetries
from agents.config import AtLeast, AtMost, Count, Natural, Positive, Scale, Share, expect
from agents.searching.config import SearchingConfig


@gin.configurable
@dataclasses.dataclass(frozen=True)
class AlphaZeroConfig(SearchingConfig):
    """Silver et al. 2018, "A general reinforcement learning algorithm that masters chess, shogi,
    and Go through self-play"; the networks are those of AlphaGo Zero (Silver et al. 2017).

    What is not named here is in `SearchingConfig`.

    Attributes:
      policy_channels: 1×1 convolution in front of the policy's dense layer.
      value_channels, value_layers: 1×1 convolution and dense layers in front of the value.
      value_scale: weight of (z − v)².
      updates_per_step: 700 000 updates came of 21 million games of Go, of some 200 moves each (in
        chess 44 million); the paper names no ratio.
      replay_capacity: the paper's window is a million games, of some 200 positions each in Go.
      symmetries: an update sees each position turned at random: `mirror`, left to right;
        `dihedral`, all eight of a square board (AlphaGo Zero); `none` (AlphaZero).
      search: `alphazero` (PUCT, Dirichlet noise) or `gumbel` (Danihelka et al. 2022).
      reuse_subtree: while collecting, a search goes on in the tree of the last one, below the move
        that was made (AlphaGo Zero). Not for `gumbel`.
      resign_threshold: while collecting, the mover gives up where the value of the root and that of
        its best action are below it; None: never. The environment has `resignation`.
      played_on: share of games in which nobody gives up, to see who would have been wrong to.
      walks: of each tree at once, where the rules are on the host: more of them ask the network
        about more positions at a time, and choose a little worse.
      cached_positions: evaluations that are kept, where the rules are on the host, until variables
        change, so that the network is asked about a position once; 0: none. A network's answer may
        depend on the batch in its last bits, and a resumed run begins with an empty cache.
      max_legal: actions of a node that a tree on the host has room for, those of the greatest
        prior: of chess's 4674 and shogi's 13 689 no position allows more than 218 and 593.
    """

    policy_channels: Count = 2
    value_channels: Count = 1
    value_layers: tuple[Count, ...] = (256,)
    value_scale: Scale = 1.0
    learning_rate: Scale = 0.2
    learning_rate_drops: tuple[Natural, ...] = (100_000, 300_000, 500_000)
    batch_size: Count = 4096
    replay_capacity: Count = 200_000_000
    updates_per_step: Scale = 700_000 / (21_000_000 * 200)
    symmetries: Symmetries = "none"
    search: Literal["alphazero", "gumbel"] = "alphazero"
    dirichlet_alpha: Positive = 0.3
    reuse_subtree: bool = False
    resign_threshold: Annotated[float, AtLeast(-1), AtMost(1)] | None = None
    played_on: Share = 0.1
    walks: Count = 1
    cached_positions: Natural = 0
    max_legal: Count = 600

    def _check_relations(self) -> None:
        super()._check_relations()
        expect(
            self,
            "reuse_subtree",
            not (self.reuse_subtree and self.search == "gumbel"),
            "False with search 'gumbel', whose schedule counts visits from zero",
        )
