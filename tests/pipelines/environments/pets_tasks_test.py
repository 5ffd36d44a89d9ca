"""Protects PETS' four tasks: the contract, the paper's horizons, sizes and rewards."""

from __future__ import annotations

import numpy as np
import pytest

from agents.simulators import RolloutPool
from pipelines.environments import pets_task
from pipelines.environments.pets_tasks import TASKS
from pipelines.system.errors import UserError
from tests.pipelines.environments.environment_contract import EnvironmentContract, play

# observation, action, horizon, seconds a step.
SIZES = {
    "cartpole": (4, 1, 200, 0.04),
    "reacher": (17, 7, 150, 0.02),
    "pusher": (20, 7, 150, 0.04),
    "half_cheetah": (18, 6, 1000, 0.05),
}


class TestCartpole(EnvironmentContract):
    name = "pets/cartpole"

    def make(self, seed):
        return pets_task(seed=seed)


def begin(task: str, seed: int = 4, steps: int = 3):
    environment = pets_task(seed=seed, task=task)
    rng = np.random.RandomState(seed)
    environment.reset()
    for _ in range(steps):
        environment.step(rng.uniform(-1, 1, environment.action_spec().shape))
    return environment, rng


@pytest.mark.parametrize("task", sorted(TASKS))
def test_sizes_are_the_papers(task: str):
    observation, action, horizon, seconds = SIZES[task]
    environment = pets_task(seed=1, task=task)
    assert environment.observation_spec().shape == (observation,)
    assert environment.action_spec().shape == (action,)
    timesteps = play(environment, action_seed=0)
    assert len(timesteps) == horizon + 1 and timesteps[-1].discount == 1
    assert all(np.all(np.isfinite(timestep.observation)) for timestep in timesteps)
    np.testing.assert_allclose(environment.simulator().data.time, horizon * seconds)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_plan_earns_what_its_rollout_promised(task: str):
    environment, rng = begin(task)
    actions = rng.uniform(-1, 1, [3, 4, *environment.action_spec().shape])
    rollouts = RolloutPool(1).simulate(environment.simulator(), actions)
    promised = environment.simulator().rewards(rollouts)
    for t, action in enumerate(actions[1]):
        timestep = environment.step(action)
        np.testing.assert_array_equal(rollouts.qpos[1, t + 1], environment.simulator().data.qpos)
        np.testing.assert_allclose(timestep.reward, promised[1, t], rtol=1e-6)


@pytest.mark.parametrize("task", ("reacher", "half_cheetah", "pusher"))
def test_every_task_can_be_filmed(task: str):
    environment, _ = begin(task, steps=0)
    frame = environment.render(48, 48)
    assert frame.shape == (48, 48, 3) and frame.std() > 1


def test_a_pole_at_its_goal_earns_one_and_a_hanging_one_nearly_nothing():
    environment, _ = begin("cartpole", steps=0)
    data = environment.simulator().data
    for angle, reward in ((np.pi, 1.0), (0.0, np.exp(-4.0))):
        data.qpos[:], data.qvel[:] = (0.0, angle), 0.0
        timestep = environment.step(np.zeros(1, np.float32))
        np.testing.assert_allclose(timestep.reward, reward, atol=1e-3)


def test_actions_cost_in_the_actuators_units():
    (dear, _), (free, _) = begin("cartpole", steps=0), begin("cartpole", steps=0)
    for environment in (dear, free):
        environment.simulator().data.qpos[:] = 0, 0
    paid = free.step(np.zeros(1, np.float32)).reward - dear.step(np.ones(1, np.float32)).reward
    np.testing.assert_allclose(paid, 0.01 * 3.0**2, atol=0.02)  # The tip moves a little too.


def test_the_reachers_end_is_measured_to_its_target():
    environment, _ = begin("reacher", steps=0)
    data = environment.simulator().data
    timestep = environment.step(np.zeros(7, np.float32))
    np.testing.assert_allclose(timestep.observation[7:10], data.qpos[7:10], rtol=1e-6)
    # Stretched out along x: 0.1 + 0.4 + 0.321 + 0.16828 from the shoulder.
    end = np.array([0.98928, -0.188, 0.0])
    np.testing.assert_allclose(data.sensordata, end, atol=1e-3)
    np.testing.assert_allclose(timestep.reward, -np.sum((end - data.qpos[7:]) ** 2), rtol=1e-3)


def test_the_cheetahs_first_observation_is_the_velocity_it_is_paid_for():
    environment, rng = begin("half_cheetah")
    action = rng.uniform(-1, 1, 6).astype(np.float32)
    timestep = environment.step(action)
    paid = timestep.observation[0] - 0.1 * np.sum(np.square(action))
    np.testing.assert_allclose(timestep.reward, paid, rtol=1e-4)
    assert environment.reset().observation[0] == 0


def test_an_unknown_task_is_answered_in_one_line():
    with pytest.raises(UserError, match="'cheetah', expected one of cartpole"):
        pets_task(seed=0, task="cheetah")
