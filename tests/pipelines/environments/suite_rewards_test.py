"""Protects that what a planner is told about a task is what the task itself pays."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from agents.simulators import RolloutPool
from pipelines.environments import control_suite
from pipelines.environments.suite_rewards import any_task, reward_function

IN_ARRAYS = (
    "cartpole_balance",
    "cartpole_swingup",
    "cartpole_balance_sparse",
    "cartpole_two_poles",
    "finger_spin",
    "cheetah_run",
    "ball_in_cup_catch",
    "walker_walk",
    "walker_stand",
)
ASKED = ("reacher_easy", "hopper_hop")  # Targets move with the episode; contacts.


def live_state(environment) -> np.ndarray:
    """Everything that the environment's next steps depend on, and what they are computed from."""
    simulator = environment.simulator()
    model, data = simulator.model, simulator.data
    kind = mujoco.mjtState.mjSTATE_INTEGRATION
    state = np.empty(mujoco.mj_stateSize(model, kind))
    mujoco.mj_getState(model, data, state, kind)
    derived = (data.qacc, data.xpos, data.xmat, data.sensordata, data.actuator_force)
    return np.concatenate([state, *(values.ravel().copy() for values in derived)])


def begin(task: str, steps: int = 3, seed: int = 5, **arguments):
    """An environment in mid-episode; returns it and the generator of its actions."""
    environment = control_suite(seed=seed, task=task, observation="state", **arguments)
    rng = np.random.RandomState(seed)
    environment.reset()
    for _ in range(steps):
        environment.step(rng.uniform(-1, 1, environment.action_spec().shape))
    return environment, rng


def plans(environment, rng, count: int = 4, horizon: int = 3) -> np.ndarray:
    return rng.uniform(-1, 1, [count, horizon, *environment.action_spec().shape])


@pytest.mark.parametrize("task", IN_ARRAYS + ASKED)
def test_a_plan_earns_in_the_environment_what_its_rollout_promised(task: str):
    environment, rng = begin(task)
    actions = plans(environment, rng)
    rollouts = RolloutPool(2).simulate(environment.simulator(), actions)
    rewards = environment.simulator().rewards(rollouts)
    assert rewards.shape == (4, 3 * environment.action_repeat)
    promised = rewards[2].reshape(3, -1).sum(axis=1)
    simulator = environment.simulator()
    for t, action in enumerate(actions[2]):
        timestep = environment.step(action)
        moment = (t + 1) * environment.action_repeat
        np.testing.assert_array_equal(rollouts.qpos[2, moment], simulator.data.qpos)
        np.testing.assert_array_equal(rollouts.qvel[2, moment], simulator.data.qvel)
        np.testing.assert_allclose(timestep.reward, promised[t], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("task", IN_ARRAYS)
def test_rewards_in_arrays_are_the_tasks_own(task: str):
    environment, rng = begin(task)
    dm_control = environment._environment
    simulator, pool = environment.simulator(), RolloutPool(1)
    actions = plans(environment, rng, count=8, horizon=4)
    rollouts = pool.simulate(simulator, actions)
    own = any_task(dm_control.task, dm_control.physics)(rollouts)
    ours = reward_function(dm_control)(rollouts)
    np.testing.assert_allclose(ours, own, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("task", "joints"), [("ball_in_cup_catch", 4), ("finger_spin", 3)])
def test_rewards_that_are_mostly_zero_agree_where_they_are_paid(task: str, joints: int):
    environment, rng = begin(task)
    dm_control, simulator = environment._environment, environment.simulator()
    data = simulator.data
    if task == "ball_in_cup_catch":
        data.qpos[:] = 0.02, 0.03, 0.02, 0.38  # The ball in the cup.
    else:
        data.qvel[:] = 0.0, 0.0, -20.0  # Faster than the task wants.
    assert data.qpos.size == joints
    rollouts = RolloutPool(1).simulate(simulator, 0.1 * plans(environment, rng, 6, 2))
    ours = simulator.rewards(rollouts)
    assert ours.sum() > 0
    np.testing.assert_array_equal(ours, any_task(dm_control.task, dm_control.physics)(rollouts))


@pytest.mark.parametrize("task", ("cartpole_balance", "finger_spin", "walker_walk", "reacher_easy"))
def test_planning_leaves_the_environment_as_it_was_bit_for_bit(task: str):
    environment, rng = begin(task)
    before = live_state(environment)
    pool = RolloutPool(2)
    for _ in range(3):
        pool.returns(environment.simulator(), plans(environment, rng))
    np.testing.assert_array_equal(live_state(environment), before)


def test_an_episode_with_planning_is_the_episode_without():
    (planned, rng), (plain, _) = begin("cheetah_run", seed=7), begin("cheetah_run", seed=7)
    pool = RolloutPool(2)
    for t in range(4):
        action = np.random.RandomState(t).uniform(-1, 1, 6)
        pool.returns(planned.simulator(), plans(planned, rng))
        ours, theirs = planned.step(action), plain.step(action)
        np.testing.assert_array_equal(ours.observation, theirs.observation)
        assert ours.reward == theirs.reward


def test_the_number_of_threads_changes_nothing():
    environment, rng = begin("walker_walk")
    actions = plans(environment, rng, count=7)
    one, three = (RolloutPool(n).returns(environment.simulator(), actions) for n in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_a_moved_target_is_seen_by_the_next_plan():
    environment, _ = begin("reacher_easy", steps=0)
    simulator, pool = environment.simulator(), RolloutPool(1)
    still = np.zeros([1, 1, 2])
    simulator.model.geom("target").pos[:2] = environment._environment.physics.named.data.geom_xpos[
        "finger", :2
    ]
    reached = pool.returns(simulator, still)
    simulator.model.geom("target").pos[:2] += 1.0
    assert reached > 0 and pool.returns(simulator, still) == 0
