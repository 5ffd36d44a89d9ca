"""The planner as a policy: CEM over what the simulator itself says will happen."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from agents.policy import Policy
from agents.simulator_cem.best_first import elite_returns
from agents.simulator_cem.config import SimulatorCEMConfig
from agents.simulators import RolloutPool, Simulator
from ops import cem


class SimulatorCEMPolicy(Policy):
    """Plans anew at every step from the environments' true states; row b is environment b.

    Observations are not looked at. The policy lives in the process of its environments and is no
    SavedModel: what it plans with is MuJoCo.

    Args:
      config: the planner's settings.
      simulators: one for each environment, in the batch's order.
      observation_spec, action_spec: of one environment.
    """

    skips_idle_rows = True

    def __init__(
        self,
        config: SimulatorCEMConfig,
        simulators: Sequence[Simulator],
        observation_spec: tf.TensorSpec,
        action_spec: tf.TensorSpec,
    ) -> None:
        super().__init__(name="simulator_cem_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._config = config
        self._simulators = list(simulators)
        self._pool = RolloutPool(config.threads)
        self._seconds, self._decisions = 0.0, 0

    def initial_state(self, batch_size: int | tf.Tensor) -> Any:
        """No state: an empty dict."""
        return {}

    def step(
        self, observation: tf.Tensor, state: Any, seed: tf.Tensor, active: Any = None
    ) -> tuple[tf.Tensor, Any, dict[str, tf.Tensor]]:
        """Plans for the active environments and returns actions [B, A]; see `Policy.step`.

        Idle rows cost nothing; their actions and `info` are zeros.

        `info` holds `predicted_return` [B]: the mean return of the last elites over the horizon.

        Raises:
          ValueError: there are not as many observations as environments.
        """
        if observation.shape[0] != len(self._simulators):
            raise ValueError(
                f"got {observation.shape[0]} observations, expected one for each of "
                f"{len(self._simulators)} environments"
            )
        start = time.perf_counter()
        self._active = np.ones(len(self._simulators), bool) if active is None else np.array(active)
        plan = self._plan(tf.convert_to_tensor(seed, tf.int32))
        action = tf.where(self._active[:, None], plan.action, 0.0)
        predicted = tf.where(self._active, tf.reduce_mean(plan.returns, axis=1), 0.0)
        self._seconds += time.perf_counter() - start
        self._decisions += int(self._active.sum())
        return action, state, {"predicted_return": predicted}

    def measurements(self) -> dict[str, float]:
        """Speeds since the policy was made, and where the time goes."""
        config, timing = self._config, self._pool.timing
        seconds, decisions = max(self._seconds, 1e-9), max(self._decisions, 1)
        whole = config.planning_horizon * self._simulators[0].steps_per_action + 1
        whole *= config.planning_iterations * config.planning_candidates
        return {
            "planner/decisions_per_second": self._decisions / seconds,
            "planner/simulator_share": timing.simulating / seconds,
            "planner/reward_share": timing.judging / seconds,
            "planner/simulated_share": timing.steps / (decisions * whole),
            "planner/simulator_steps_per_second": timing.steps / max(timing.simulating, 1e-9),
        }

    @tf.function(autograph=False)
    def _plan(self, seed: tf.Tensor) -> cem.CEMResult:
        config = self._config
        batch_size, (action_size,) = len(self._simulators), self.action_spec.shape

        def objective(actions: tf.Tensor) -> tf.Tensor:
            returns = tf.numpy_function(self._returns, [actions], tf.float32)
            return tf.ensure_shape(returns, [batch_size, config.planning_candidates])

        return cem.optimize(
            objective,
            batch_size,
            config.planning_horizon,
            action_size,
            num_iterations=config.planning_iterations,
            num_candidates=config.planning_candidates,
            num_elites=config.planning_elites,
            seed=seed,
            stddev_estimator=config.planning_refit,
            ties=config.planning_ties,
        )

    def _returns(self, actions: np.ndarray) -> np.ndarray:
        """Simulates candidates [B, J, H, A] → returns float32 [B, J], -inf if surely no elite."""
        returns = np.zeros(actions.shape[:2], np.float32)
        for row in np.flatnonzero(self._active):
            returns[row] = self._judge(self._simulators[row], actions[row])
        return returns

    def _judge(self, simulator: Simulator, candidates: np.ndarray) -> np.ndarray:
        if self._config.best_first and simulator.reward_bound is not None:
            elites = self._config.planning_elites
            return elite_returns(self._pool, simulator, candidates, elites)
        return self._pool.returns(simulator, candidates)
