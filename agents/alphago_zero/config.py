"""AlphaGo Zero's settings: the paper's, with their sources. gin files hold deviations."""

from __future__ import annotations

import dataclasses

import gin

from agents.alphazero.config import AlphaZeroConfig
from agents.boards.symmetries import Symmetries
from agents.config import Count, Natural, Positive, Scale, Share


@gin.configurable
@dataclasses.dataclass(frozen=True)
class AlphaGoZeroConfig(AlphaZeroConfig):
    """Silver et al. 2017, "Mastering the game of Go without human knowledge", methods.

    What is not named here is in `AlphaZeroConfig` and `SearchingConfig`.

    Attributes:
      gate_interval: updates between the evaluator's matches, a checkpoint each.
      gate_games: of a match, each side beginning half of them.
      gate_threshold: share of the points, a draw counting ½, above which the learner's networks
        are the ones that play from then on.
      turned_evaluations: in a search the network sees each position turned at random, by one of
        `symmetries`; the root apart.
      updates_per_step: 700 000 updates came of 4.9 million games, of some 200 moves each.
      replay_capacity: the paper's window is 500 000 games.
      learning_rate_drops: extended data table 3.
    """

    gate_interval: Count = 1000
    gate_games: Count = 400
    gate_threshold: Share = 0.55
    turned_evaluations: bool = True
    symmetries: Symmetries = "dihedral"
    batch_size: Count = 2048
    replay_capacity: Count = 100_000_000
    updates_per_step: Scale = 700_000 / (4_900_000 * 200)
    learning_rate: Scale = 0.01
    learning_rate_drops: tuple[Natural, ...] = (400_000, 600_000)
    num_simulations: Count = 1600
    dirichlet_alpha: Positive = 0.03
    reuse_subtree: bool = True
