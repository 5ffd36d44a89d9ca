"""PETS' settings: the paper's for cartpole, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import gin

from agents.config import AtLeast, AtMost, Count, Positive, Scale, ShareBelowOne, check, expect
from agents.planner_config import Candidates, check_elites, check_networks

LogVariance = Annotated[float, AtLeast(-80), AtMost(80)]  # Its exp is a float32.


@gin.configurable
@dataclasses.dataclass(frozen=True)
class PETSConfig:
    """Chua et al. 2018, "Deep Reinforcement Learning in a Handful of Trials".

    Attributes:
      task: what is known of the environment (`tasks.py`): how observations enter the model and
        leave it, and what is paid; `differences` knows nothing and learns the reward as well.
      ensemble_size: E, networks; 1 is the paper's D or P, more its DE or PE.
      probabilistic: networks give mean and variance (P, PE); else the mean alone (D, DE).
      hidden_layers: units, first to last.
      weight_decays: of each layer, the output's last; the loss holds decay · ‖W‖² / 2.
      activation: of the hidden layers.
      max_log_variance, min_log_variance: where the learned bounds start.
      bound_penalty: weight of Σ max − Σ min of the bounds in the loss.
      learning_rate: Adam's.
      batch_size: transitions a batch and network.
      epochs: a trial; each is one update, over the whole table.
      bootstrap: each network learns from a resample of its own, drawn anew for each trial.
      holdout_share: of the transitions, which no network learns from (drawn anew each trial).
      patience: epochs without a better held-out loss after which a trial's learning ends, at its
        best weights; None: all epochs are done. Needs a `holdout_share`.
      seed_episodes: random episodes first.
      replay_capacity: items the table holds; an item is an episode, or a piece of a long one.
      max_episode_steps: of an item; longer episodes are stored in pieces.
      propagation: `E` (expectation), `DS` (distribution sampling), `MM` (moment matching), `TS1`
        (a particle changes its network at each step), `TSinf` (it keeps it).
      particles: P a candidate; for TS1 and TSinf a multiple of E.
      moment_matching: of `MM`: Gaussians are fitted to the particles' `states` (the paper) or to
        the `predictions` that lead to them (the released code).
      planner: `cem`, `random` shooting, or `mppi`.
      planning_horizon, planning_iterations, planning_candidates, planning_elites: H, I, J, K.
        Random shooting takes I · J candidates at once.
      planning_momentum: α, share of the last mean and variance kept at a refit.
      planning_min_variance: ε; a search whose largest variance is below it is over.
      planning_truncation: candidates are drawn within two standard deviations, with the deviation
        at most half the distance to the nearer bound; else they are clipped.
      warm_start: a search begins at the last plan, shifted by one step.
      planning_precision: of the networks' products in a plan: `float32`, or `bfloat16` with float32
        sums, for the native op on AVX512_BF16 or a GPU; a SavedModel plans in float32.
      planning_backend: of the networks in a plan (`ops.cem`); `auto` is the native op where it is
        built, and plain TensorFlow in a SavedModel.
      mppi_temperature: λ of the weights exp(return / λ).
      mppi_stddev: of its noise; actions lie in [−1, 1].
    """

    task: Literal["cartpole", "reacher", "pusher", "half_cheetah", "differences"] = "cartpole"

    ensemble_size: Count = 5
    probabilistic: bool = True
    hidden_layers: tuple[Count, ...] = (500, 500, 500)
    weight_decays: tuple[Scale, ...] = (1e-4, 2.5e-4, 2.5e-4, 5e-4)
    activation: Literal["relu", "elu", "swish"] = "swish"
    max_log_variance: LogVariance = 0.5
    min_log_variance: LogVariance = -10.0
    bound_penalty: Scale = 0.01

    learning_rate: Scale = 1e-3
    batch_size: Count = 32
    epochs: Count = 5
    bootstrap: bool = True
    holdout_share: ShareBelowOne = 0.0
    patience: Count | None = None
    seed_episodes: Count = 1
    replay_capacity: Count = 10_000
    max_episode_steps: Count = 1000

    propagation: Literal["E", "DS", "MM", "TS1", "TSinf"] = "TSinf"
    particles: Count = 20
    moment_matching: Literal["states", "predictions"] = "states"

    planner: Literal["cem", "random", "mppi"] = "cem"
    planning_horizon: Count = 25
    planning_iterations: Count = 5
    planning_candidates: Candidates = 400
    planning_elites: Count = 40
    planning_momentum: ShareBelowOne = 0.1
    planning_min_variance: Scale = 1e-3
    planning_truncation: bool = True
    warm_start: bool = True
    planning_precision: Literal["float32", "bfloat16"] = "float32"
    planning_backend: Literal["auto", "native", "tensorflow"] = "auto"
    mppi_temperature: Positive = 1.0
    mppi_stddev: Scale = 0.5

    def __post_init__(self) -> None:
        check(self)
        check_elites(self)
        check_networks(self, "hidden_layers")
        self._check_relations()

    def _check_relations(self) -> None:
        expect(
            self,
            "weight_decays",
            len(self.weight_decays) == len(self.hidden_layers) + 1,
            f"{len(self.hidden_layers) + 1} numbers, one for each layer",
        )
        expect(
            self,
            "min_log_variance",
            self.min_log_variance < self.max_log_variance,
            f"less than max_log_variance, which is {self.max_log_variance}",
        )
        expect(
            self,
            "patience",
            self.patience is None or self.holdout_share > 0,
            "None, or a holdout_share above 0 to judge by",
        )
        expect(
            self,
            "particles",
            self.propagation not in ("TS1", "TSinf") or self.particles % self.ensemble_size == 0,
            f"a multiple of ensemble_size, which is {self.ensemble_size}, for {self.propagation}",
        )
