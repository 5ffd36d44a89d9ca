"""Rewards of the control suite's tasks along simulated rollouts, all candidates at once.

A task of the suite computes its reward from one simulation. `reward_function` says the same of N
rollouts of S moments: in array form for the tasks written out below, which are PlaNet's six and
their relatives, and for every other task by putting each state into a copy of the simulation and
asking the task itself, which is exact and slow (about 50 µs a state).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np

from agents.simulators import Rollouts

RewardFunction = Callable[[Rollouts], np.ndarray]


def reward_function(environment: Any) -> RewardFunction:
    """Returns what the task of `environment` (dm_control's) gives: `Rollouts` → [N, S]."""
    from dm_control.suite import ball_in_cup, cartpole, cheetah, finger, walker

    task, physics = environment.task, environment.physics
    if hasattr(task, "rollout_rewards"):  # Our own tasks say it in this form only.
        return task.rollout_rewards
    makers = {
        cartpole.Balance: _cartpole,
        cheetah.Cheetah: _cheetah,
        finger.Spin: _finger_spin,
        ball_in_cup.BallInCup: _ball_in_cup,
        walker.PlanarWalker: _walker,
    }
    # Not isinstance: whoever inherits from a task may have another reward.
    return makers.get(type(task), any_task)(task, physics)


def any_task(task: Any, physics: Any) -> RewardFunction:
    """Asks the task itself about each state, in a copy of the simulation."""
    copy = physics.copy(share_model=True)

    def rewards(rollouts: Rollouts) -> np.ndarray:
        result = np.empty(rollouts.control.shape[:2])
        model, data = copy.model.ptr, copy.data.ptr
        for index in np.ndindex(*result.shape):
            state = rollouts.states[index[0], index[1] + 1]
            mujoco.mj_setState(model, data, state, mujoco.mjtState.mjSTATE_FULLPHYSICS)
            copy.set_control(rollouts.control[index])
            mujoco.mj_forward(model, data)
            result[index] = task.get_reward(copy)
        return result

    return rewards


def _cartpole(task: Any, physics: Any) -> RewardFunction:
    """Balance and swingup, smooth and sparse, of one pole or several."""
    from dm_control.utils import rewards as suite

    def rewards(rollouts: Rollouts) -> np.ndarray:
        position = rollouts.qpos[:, 1:, 0]  # [N, S]
        cosine = np.cos(np.cumsum(rollouts.qpos[:, 1:, 1:], axis=-1))  # [N, S, poles]
        if task._sparse:
            in_bounds = suite.tolerance(cosine, task._ANGLE_COSINE_RANGE).prod(axis=-1)
            return suite.tolerance(position, task._CART_RANGE) * in_bounds
        centered = (1 + suite.tolerance(position, margin=2)) / 2
        control = rollouts.control[..., 0]
        effort = suite.tolerance(control, margin=1, value_at_margin=0, sigmoid="quadratic")
        small_control = (4 + effort) / 5
        still = suite.tolerance(rollouts.qvel[:, 1:, 1:], margin=5).min(axis=-1)
        small_velocity = (1 + still) / 2
        upright = ((cosine + 1) / 2).mean(axis=-1)
        return upright * small_control * small_velocity * centered

    return rewards


def _cheetah(task: Any, physics: Any) -> RewardFunction:
    from dm_control.suite import cheetah
    from dm_control.utils import rewards as suite

    (speed, *_) = _sensor(physics, "torso_subtreelinvel")
    wanted = cheetah._RUN_SPEED
    return lambda rollouts: suite.tolerance(
        rollouts.sensordata[:, 1:, speed],
        bounds=(wanted, float("inf")),
        margin=wanted,
        value_at_margin=0,
        sigmoid="linear",
    )


def _finger_spin(task: Any, physics: Any) -> RewardFunction:
    from dm_control.suite import finger

    (hinge,) = _sensor(physics, "hinge_velocity")
    return lambda rollouts: (rollouts.sensordata[:, 1:, hinge] <= -finger._SPIN_VELOCITY).astype(
        float
    )


def _ball_in_cup(task: Any, physics: Any) -> RewardFunction:
    model = physics.model.ptr
    site = model.site("target")
    # Cup and ball only slide along x and z, so places are sums.
    offset = (model.body("cup").pos + site.pos - model.body("ball").pos)[[0, 2]]
    room = site.size[[0, 2]] - model.geom("ball").size[0]
    cup_joints = [model.joint(f"cup_{axis}").qposadr[0] for axis in "xz"]
    ball_joints = [model.joint(f"ball_{axis}").qposadr[0] for axis in "xz"]

    def rewards(rollouts: Rollouts) -> np.ndarray:
        qpos = rollouts.qpos[:, 1:]
        away = offset + qpos[..., cup_joints] - qpos[..., ball_joints]  # [N, S, 2]
        return np.all(np.abs(away) < room, axis=-1).astype(float)

    return rewards


def _walker(task: Any, physics: Any) -> RewardFunction:
    """Stand, walk and run."""
    from dm_control.suite import walker
    from dm_control.utils import rewards as suite

    model, infinity = physics.model.ptr, float("inf")
    height, angle = (model.joint(name).qposadr[0] for name in ("rootz", "rooty"))
    above = model.body("torso").pos[2]
    (speed, *_) = _sensor(physics, "torso_subtreelinvel")

    def rewards(rollouts: Rollouts) -> np.ndarray:
        standing = suite.tolerance(
            above + rollouts.qpos[:, 1:, height],
            bounds=(walker._STAND_HEIGHT, infinity),
            margin=walker._STAND_HEIGHT / 2,
        )
        upright = (1 + np.cos(rollouts.qpos[:, 1:, angle])) / 2
        stand = (3 * standing + upright) / 4
        if task._move_speed == 0:
            return stand
        move = suite.tolerance(
            rollouts.sensordata[:, 1:, speed],
            bounds=(task._move_speed, infinity),
            margin=task._move_speed / 2,
            value_at_margin=0.5,
            sigmoid="linear",
        )
        return stand * (5 * move + 1) / 6

    return rewards


def _sensor(physics: Any, name: str) -> range:
    """The sensor's columns in `sensordata`."""
    sensor = physics.model.ptr.sensor(name)
    return range(sensor.adr[0], sensor.adr[0] + sensor.dim[0])
