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
from mujoco.batch import Batch

_PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS
# All that the next step depends on: the controls and the solver's warm start as well.
_INTEGRATION = mujoco.mjtState.mjSTATE_INTEGRATION


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
      reward_bound: what no reward exceeds; None: nothing is known.
    """

    model: mujoco.MjModel
    data: mujoco.MjData
    steps_per_reward: int
    rewards_per_action: int
    control: Callable[[np.ndarray], np.ndarray]
    rewards: Callable[[Rollouts], np.ndarray]
    reward_bound: float | None = None

    @property
    def steps_per_action(self) -> int:
        """Calls of `mj_step` that one action takes."""
        return self.steps_per_reward * self.rewards_per_action


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
        self._batches: dict[tuple[mujoco.MjModel, int], Batch] = {}
        self.timing = Timing(0.0, 0.0, 0)

    def returns(self, simulator: Simulator, actions: np.ndarray) -> np.ndarray:
        """Σ rewards [N] of action sequences [N, H, A] from where the environment is now."""
        # One after the other, as best-first search has to add them, to the last bit.
        return np.cumsum(self.judge(simulator, self.simulate(simulator, actions)), axis=1)[:, -1]

    def simulate(self, simulator: Simulator, actions: np.ndarray) -> Rollouts:
        """Applies action sequences [N, H, A], repeated as the environment repeats them."""
        batch, initial = self.start(simulator, len(actions))
        control = controls(simulator, actions)
        states, sensordata = self.advance(batch, np.arange(len(actions)), control)
        stride = simulator.steps_per_reward
        starts = np.broadcast_to(initial, (len(actions), 1, len(initial)))
        states = np.concatenate([starts, states[:, stride - 1 : -1 : stride]], axis=1)
        return as_rollouts(simulator, states, sensordata[:, ::stride], control[:, :-1:stride])

    def judge(self, simulator: Simulator, rollouts: Rollouts) -> np.ndarray:
        """The task's rewards [N, S]."""
        start = time.perf_counter()
        rewards = simulator.rewards(rollouts)
        judging = self.timing.judging + time.perf_counter() - start
        self.timing = self.timing._replace(judging=judging)
        return rewards

    def start(self, simulator: Simulator, size: int) -> tuple[Batch, np.ndarray]:
        """`size` simulations where the environment is now, and that state (mjSTATE_FULLPHYSICS)."""
        model, data = simulator.model, simulator.data
        if (model, size) not in self._batches:
            self._batches[model, size] = Batch(model, size, self._threads)
        batch = self._batches[model, size]
        batch.set_models(model)
        state = np.empty(mujoco.mj_stateSize(model, _INTEGRATION))
        mujoco.mj_getState(model, data, state, _INTEGRATION)
        batch.state[:] = state
        physics = np.empty(mujoco.mj_stateSize(model, _PHYSICS))
        mujoco.mj_getState(model, data, physics, _PHYSICS)
        return batch, physics

    def advance(
        self, batch: Batch, rows: np.ndarray, control: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Takes a step of simulations `rows` [n] for each of controls [n, L, nu].

        Returns:
          states: [n, L, …] after each step (mjSTATE_FULLPHYSICS).
          sensordata: [n, L, ns] of the state that each step starts from.
        """
        start = time.perf_counter()
        records = batch.rollout(
            control.shape[1], control, record=(_PHYSICS, "sensordata"), ids=rows
        )
        self.timing = self.timing._replace(
            simulating=self.timing.simulating + time.perf_counter() - start,
            steps=self.timing.steps + control.shape[0] * control.shape[1],
        )
        return records[_PHYSICS], records["sensordata"]


def controls(simulator: Simulator, actions: np.ndarray) -> np.ndarray:
    """Action sequences [N, H, A] → a control for each of an action's L steps, [N, L H + 1, nu].

    Sensors come with the state that a step starts from, so one step more is taken.
    """
    control = np.repeat(simulator.control(actions), simulator.steps_per_action, axis=1)
    return np.concatenate([control, control[:, -1:]], axis=1)


def as_rollouts(
    simulator: Simulator, states: np.ndarray, sensordata: np.ndarray, control: np.ndarray
) -> Rollouts:
    """Names what `states` [N, S + 1, …] hold; the other arguments are as in `Rollouts`."""
    nq, nv = simulator.model.nq, simulator.model.nv
    return Rollouts(
        time=states[..., 0],
        qpos=states[..., 1 : 1 + nq],
        qvel=states[..., 1 + nq : 1 + nq + nv],
        sensordata=sensordata,
        control=control,
        states=states,
    )
