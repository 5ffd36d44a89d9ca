"""PETS' settings: the paper's for cartpole, with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Literal

import gin

from agents.config import check_at_least, check_types

_AT_LEAST_ONE = (
    "ensemble_size",
    "hidden_layers",
    "batch_size",
    "epochs",
    "patience",
    "seed_episodes",
    "replay_capacity",
    "max_episode_steps",
    "particles",
    "planning_horizon",
    "planning_iterations",
    "planning_candidates",
    "planning_elites",
)
_AT_LEAST_ZERO = (
    "weight_decays",
    "bound_penalty",
    "learning_rate",
    "holdout_share",
    "planning_momentum",
    "planning_min_variance",
    "mppi_stddev",
)


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
      replay_capacity: episodes the table holds.
      max_episode_steps: longer episodes cannot be stored.
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

    ensemble_size: int = 5
    probabilistic: bool = True
    hidden_layers: tuple[int, ...] = (500, 500, 500)
    weight_decays: tuple[float, ...] = (1e-4, 2.5e-4, 2.5e-4, 5e-4)
    activation: Literal["relu", "elu", "swish"] = "swish"
    max_log_variance: float = 0.5
    min_log_variance: float = -10.0
    bound_penalty: float = 0.01

    learning_rate: float = 1e-3
    batch_size: int = 32
    epochs: int = 5
    bootstrap: bool = True
    holdout_share: float = 0.0
    patience: int | None = None
    seed_episodes: int = 1
    replay_capacity: int = 10_000
    max_episode_steps: int = 1000

    propagation: Literal["E", "DS", "MM", "TS1", "TSinf"] = "TSinf"
    particles: int = 20
    moment_matching: Literal["states", "predictions"] = "states"

    planner: Literal["cem", "random", "mppi"] = "cem"
    planning_horizon: int = 25
    planning_iterations: int = 5
    planning_candidates: int = 400
    planning_elites: int = 40
    planning_momentum: float = 0.1
    planning_min_variance: float = 1e-3
    planning_truncation: bool = True
    warm_start: bool = True
    planning_precision: Literal["float32", "bfloat16"] = "float32"
    planning_backend: Literal["auto", "native", "tensorflow"] = "auto"
    mppi_temperature: float = 1.0
    mppi_stddev: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        check_at_least(self, 1, _AT_LEAST_ONE)
        check_at_least(self, 0, _AT_LEAST_ZERO)
        self._expect(
            "weight_decays",
            len(self.weight_decays) == len(self.hidden_layers) + 1,
            f"{len(self.hidden_layers) + 1} numbers, one for each layer",
        )
        self._expect(
            "min_log_variance",
            self.min_log_variance < self.max_log_variance,
            f"less than max_log_variance, which is {self.max_log_variance}",
        )
        self._expect("holdout_share", self.holdout_share < 1, "less than 1")
        self._expect("planning_momentum", self.planning_momentum < 1, "less than 1")
        self._expect("mppi_temperature", self.mppi_temperature > 0, "more than 0")
        self._expect(
            "patience",
            self.patience is None or self.holdout_share > 0,
            "None, or a holdout_share above 0 to judge by",
        )
        self._expect(
            "planning_precision",
            self.planning_precision == "float32" or self.planning_backend != "tensorflow",
            "'float32' with planning_backend 'tensorflow'",
        )
        self._expect(
            "planning_elites",
            self.planning_elites <= self.planning_candidates,
            f"at most planning_candidates, which is {self.planning_candidates}",
        )
        self._expect(
            "particles",
            self.propagation not in ("TS1", "TSinf") or self.particles % self.ensemble_size == 0,
            f"a multiple of ensemble_size, which is {self.ensemble_size}, for {self.propagation}",
        )

    def _expect(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            value = getattr(self, name)
            raise ValueError(f"PETSConfig.{name} = {value!r}; expected {expected}")
