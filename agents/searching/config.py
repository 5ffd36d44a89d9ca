"""Settings of agents that search a tree at every move; each agent's own values are its paper's."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

from agents.config import (
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


@dataclasses.dataclass(frozen=True)
class SearchingConfig:
    """What AlphaZero and MuZero have in common.

    Attributes:
      channels, blocks: of the residual torsos.
      normalisation: behind each convolution and dense layer.
      weight_decay: of the squared weights, in the loss; for Adam taken off the weights themselves.
      optimizer, learning_rate, momentum: momentum is SGD's.
      decay_rate: the learning rate is multiplied by it at each of the `learning_rate_drops`.
      learning_rate_drops: numbers of updates; none: the rate falls smoothly, by `decay_rate` in
        `decay_steps` updates.
      gradient_clip: by global norm; None: not at all.
      average_decay: who acts has the weights' average, which keeps so much of itself at an update
        and less at first, (1 + updates) / (10 + updates); None: the weights themselves (the
        papers).
      batch_size: B, positions of an update.
      replay_capacity: positions that the table holds.
      replay_sampler: `uniform`; `fifo`, the oldest one again and again, makes runs that repeat bit
        for bit.
      seed_episodes: of uniformly random moves, before the first update.
      updates_per_episode, updates_per_step: how much is learned for what is collected.
      search: an agent's own, or `gumbel` (Danihelka et al. 2022).
      num_simulations: N of a move; evaluation_simulations: None: as many.
      served_simulations: the most that whoever is served may ask for; None: those of evaluation.
      max_depth: of a walk; None: no limit.
      dirichlet_fraction, dirichlet_alpha: noise at the root, when collecting.
      pb_c_init, pb_c_base: c₁ and c₂ of PUCT.
      q_scale: how values in the tree become comparable with the prior: by the least and greatest of
        the `tree`, of a node's `siblings` (mctx), or by the known `bounds` −1 and 1.
      fpu_reduction: first-play urgency, with `bounds`: an action not yet tried counts as its node's
        value less so much; None: as a loss (the papers' pseudocode).
      max_considered_actions: at the root of a `gumbel` search.
      gumbel_value_scale, gumbel_maxvisit_init: c_scale and c_visit of a `gumbel` search; its values
        are rescaled to [0, 1] (as mctx does) unless `q_scale` is `bounds`.
      temperatures, temperature_updates: of the action's choice: the first value until the first
        number of updates is reached, and so on.
      temperature_moves: moves of a game after which the temperature is 0; None: never.
      search_backend: of the tree search.
      jit_compile: the gradients through XLA.
    """

    channels: Count = 256
    blocks: Natural = 19
    normalisation: Literal["batch", "layer", "none"] = "batch"
    weight_decay: Scale = 1e-4
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: Scale = 0.1
    momentum: ShareBelowOne = 0.9
    decay_rate: Positive = 0.1
    decay_steps: Count = 350_000
    learning_rate_drops: tuple[Natural, ...] = ()
    gradient_clip: Positive | None = None
    average_decay: Annotated[float, MoreThan(0), LessThan(1)] | None = None
    batch_size: Count = 2048
    replay_capacity: Count = 1_000_000
    replay_sampler: Literal["uniform", "fifo"] = "uniform"
    seed_episodes: Natural = 0
    updates_per_episode: Natural = 0
    updates_per_step: Scale = 0.1 / 2048
    search: Literal["puct", "gumbel"] = "puct"
    num_simulations: Count = 800
    evaluation_simulations: Count | None = None
    served_simulations: Count | None = None
    max_depth: Count | None = None
    dirichlet_fraction: Share = 0.25
    dirichlet_alpha: Positive = 0.3
    pb_c_init: Scale = 1.25
    pb_c_base: Positive = 19652.0
    q_scale: Literal["tree", "siblings", "bounds"] = "bounds"
    fpu_reduction: Scale | None = None
    max_considered_actions: Count = 16
    gumbel_value_scale: Scale = 0.1
    gumbel_maxvisit_init: Scale = 50.0
    temperatures: tuple[Scale, ...] = (1.0,)
    temperature_updates: tuple[Natural, ...] = ()
    temperature_moves: Natural | None = 30
    search_backend: Literal["auto", "native", "tensorflow"] = "auto"
    jit_compile: bool = False

    def __post_init__(self) -> None:
        check(self)
        self._check_relations()

    def _check_relations(self) -> None:
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
        for field in ("temperature_updates", "learning_rate_drops"):
            numbers = list(getattr(self, field))
            expect(self, field, numbers == sorted(numbers), "none before the one in front of it")
        if not self.updates_per_step and not self.updates_per_episode:
            raise ValueError(
                f"{type(self).__name__}.updates_per_step and updates_per_episode are both 0; "
                "expected one above 0, or nothing is learned"
            )
