"""The planner's settings: those of PlaNet (appendix A). gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import gin

from agents.config import AtLeast, AtMost, Count, check
from agents.planner_config import Candidates, check_elites


@gin.configurable
@dataclasses.dataclass(frozen=True)
class SimulatorCEMConfig:
    """Hafner et al. 2019, "Learning Latent Dynamics for Planning from Pixels", Table 1's last row.

    Attributes:
      planning_horizon: H, actions a plan looks ahead; each is repeated by the environment.
      planning_iterations: I, rounds of sampling and refitting.
      planning_candidates: J, action sequences simulated a round.
      planning_elites: K, best sequences the distribution is refitted to.
      planning_refit: `mean_absolute_deviation` (Algorithm 2) or `std` (the released code).
      planning_ties: `keep` refits to the K best, whichever of equal ones come first, as Algorithm 2
        reads; `drop` only to those better than the worst of them, unless all are equal. The paper
        does not say what it does with the equal returns of tasks that pay 0 or 1.
      best_first: candidates are simulated no further than it takes to know the elites, which saves
        time and changes no bit (`agents.simulator_cem.best_first`). False: all of them to the end.
      threads: that simulate; None: one for each core that this process may use.
    """

    planning_horizon: Count = 12
    planning_iterations: Count = 10
    planning_candidates: Candidates = 1000
    planning_elites: Count = 100
    planning_refit: Literal["std", "mean_absolute_deviation"] = "mean_absolute_deviation"
    planning_ties: Literal["keep", "drop"] = "keep"
    best_first: bool = True
    threads: Annotated[int, AtLeast(1), AtMost(1024)] | None = None

    def __post_init__(self) -> None:
        check(self)
        check_elites(self)
