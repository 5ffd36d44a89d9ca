"""A MuJoCo environment as a planner sees it: a state to start from, dynamics, rewards.

Nothing here writes to the environment. Rollouts run in `MjData` of the planner's own; the live
model and data are only read, so an episode goes on as if nobody had planned.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from typing import NamedTuple

import mujoco
import numpy as np
from mujoco import rollout

# All that the next step depends on, beside the controls and the solver's warm start.
_STATE = mujoco.mjtState.mjSTATE_FULLPHYSICS


class Rollouts(NamedTuple):
    """What N sequences of controls lead to, at the S moments at which the task gives a reward.

    Attributes:
      time: [N, S + 1] seconds; here and below, index 0 is where all sequences start.
      qpos: [N, S + 1, nq].
      qvel: [N, S + 1, nv].
      sensordata: [N, S + 1, ns]; sensors of position and velocity are those of the state itself,
        sensors of force and acceleration those that the next control begins with.
      control: [N, S, nu] applied between moments s and s + 1.
      states: [N, S + 1, …] whole states, for `mj_setState` with mjSTATE_FULLPHYSICS.
    """

    time: np.ndarray
    qpos: np.ndarray
    qvel: np.ndarray
    sensordata: np.ndarray
    control: np.ndarray
    states: np.ndarray


@dataclasses.dataclass(frozen=True)
class Simulator:
    """What an environment gives a planner (its method `simulator()`).

    Attributes:
      model: the environment's own; tasks change it between episodes (a target's place), so it is
        read anew for each plan.
      data: the environment's own; only read.
      steps_per_reward: calls of `mj_step` between two rewards.
      rewards_per_action: rewards that one action collects (the action repeat).
      control: actions [..., A] as the environment takes them → MuJoCo's controls [..., nu].
      rewards: `Rollouts` → [N, S].
    """

    model: mujoco.MjModel
    data: mujoco.MjData
    steps_per_reward: int
    rewards_per_action: int
    control: Callable[[np.ndarray], np.ndarray]
    rewards: Callable[[Rollouts], np.ndarray]


class Timing(NamedTuple):
    """Where a planner's time goes, in seconds.

    Attributes:
      simulating: inside MuJoCo.
      judging: in the task's rewards.
      steps: calls of `mj_step`.
    """

    simulating: float
    judging: float
    steps: int


class RolloutPool:
    """Simulates many sequences of actions side by side, in MuJoCo's threads.

    Args:
      threads: None: one for each core that this process may use.
    """

    def __init__(self, threads: int | None = None) -> None:
        self._threads = threads or len(os.sched_getaffinity(0))
        # A pool of none simulates in the calling thread.
        self._pool = rollout.Rollout(nthread=self._threads if self._threads > 1 else 0)
        self._data: dict[mujoco.MjModel, list[mujoco.MjData]] = {}
        self.timing = Timing(0.0, 0.0, 0)

    def returns(self, simulator: Simulator, actions: np.ndarray) -> np.ndarray:
        """Σ rewards [N] of action sequences [N, H, A] from where the environment is now."""
        rollouts = self.simulate(simulator, actions)
        start = time.perf_counter()
        returns = simulator.rewards(rollouts).sum(axis=1)
        judging = self.timing.judging + time.perf_counter() - start
        self.timing = self.timing._replace(judging=judging)
        return returns

    def simulate(self, simulator: Simulator, actions: np.ndarray) -> Rollouts:
        """Applies action sequences [N, H, A], repeated as the environment repeats them."""
        model, stride = simulator.model, simulator.steps_per_reward
        control = np.repeat(simulator.control(actions), simulator.rewards_per_action, axis=1)
        initial = np.empty(mujoco.mj_stateSize(model, _STATE))
        mujoco.mj_getState(model, simulator.data, initial, _STATE)
        # Sensors come with the state that a step starts from, so one step more is taken.
        steps = np.repeat(control, stride, axis=1)
        steps = np.concatenate([steps, steps[:, -1:]], axis=1)
        start = time.perf_counter()
        states, sensordata = self._pool.rollout(
            model,
            self._own_data(model),
            initial[None],
            steps,
            initial_warmstart=simulator.data.qacc_warmstart[None].copy(),
        )
        self.timing = self.timing._replace(
            simulating=self.timing.simulating + time.perf_counter() - start,
            steps=self.timing.steps + steps.shape[0] * steps.shape[1],
        )
        starts = np.broadcast_to(initial, (len(states), 1, len(initial)))
        states = np.concatenate([starts, states[:, stride - 1 : -1 : stride]], axis=1)
        return Rollouts(
            time=states[..., 0],
            qpos=states[..., 1 : 1 + model.nq],
            qvel=states[..., 1 + model.nq : 1 + model.nq + model.nv],
            sensordata=sensordata[:, ::stride],
            control=control,
            states=states,
        )

    def _own_data(self, model: mujoco.MjModel) -> list[mujoco.MjData]:
        if model not in self._data:
            self._data[model] = [mujoco.MjData(model) for _ in range(self._threads)]
        return self._data[model]
