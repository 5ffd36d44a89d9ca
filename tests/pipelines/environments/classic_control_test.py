"""Protects Gymnasium's classic control as dm_env: contract, discounts, answers to bad input."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

from pipelines.environments import classic_control
from pipelines.system.errors import UserError
from tests.pipelines.environments.environment_contract import EnvironmentContract, play


class TestCartPole(EnvironmentContract):
    name = "gymnasium/CartPole-v1"

    def make(self, seed):
        return classic_control(seed=seed)


class TestAcrobot(EnvironmentContract):
    name = "gymnasium/Acrobot-v1"

    def make(self, seed):
        return classic_control(seed=seed, task="Acrobot-v1")


class TestMountainCar(EnvironmentContract):
    name = "gymnasium/MountainCar-v0"

    def make(self, seed):
        return classic_control(seed=seed, task="MountainCar-v0")


class TestCartPoleWithoutVelocities(EnvironmentContract):
    name = "gymnasium/CartPole-v1-positions"

    def make(self, seed):
        return classic_control(seed=seed, hide_velocities=True)


@pytest.mark.parametrize(
    ("task", "shown"),
    [("CartPole-v1", [0, 2]), ("Acrobot-v1", [0, 1, 2, 3]), ("MountainCar-v0", [0])],
)
def test_without_velocities_the_rest_is_the_same(task: str, shown: list[int]):
    whole, part = (
        play(classic_control(seed=1, task=task, hide_velocities=hides), action_seed=0)
        for hides in (False, True)
    )
    assert len(whole) == len(part)
    for one, other in zip(whole, part, strict=True):
        np.testing.assert_array_equal(one.observation[shown], other.observation)
        assert one.reward == other.reward


class TestMountainCarNormalised(EnvironmentContract):
    name = "gymnasium/MountainCar-v0"

    def make(self, seed):
        return classic_control(seed=seed, task="MountainCar-v0", normalise=True)


def test_what_has_bounds_is_brought_to_between_minus_one_and_one():
    whole, scaled = (
        play(classic_control(seed=1, normalise=normalise), action_seed=0)
        for normalise in (False, True)
    )
    for one, other in zip(whole, scaled, strict=True):
        scale = np.array([4.8, 1.0, np.deg2rad(24), 1.0])  # Velocities have no bounds.
        np.testing.assert_allclose(other.observation, one.observation / scale, rtol=1e-6)
    car = classic_control(seed=1, task="MountainCar-v0", normalise=True)
    np.testing.assert_array_equal(car.observation_spec().minimum, [-1, -1])
    # Its positions are from -1.2 to 0.6, so that their middle is not 0.
    raw = classic_control(seed=1, task="MountainCar-v0").reset().observation
    np.testing.assert_allclose(car.reset().observation[0], (raw[0] + 0.3) / 0.9, rtol=1e-6)


def test_a_fallen_pole_has_discount_0_and_one_reward_a_step():
    timesteps = play(classic_control(seed=1), action_seed=0)
    assert len(timesteps) < 500
    assert timesteps[-1].discount == 0
    assert sum(timestep.reward for timestep in timesteps[1:]) == len(timesteps) - 1


def test_the_time_limit_has_discount_1():
    timesteps = play(classic_control(seed=1, task="MountainCar-v0"), action_seed=0)
    assert len(timesteps) - 1 == 200
    assert timesteps[-1].discount == 1


def test_a_balanced_pole_is_cut_off_after_500_steps_with_discount_1():
    environment = classic_control(seed=1)
    timestep, steps = environment.reset(), 0
    while not timestep.last():
        _, velocity, angle, angular_velocity = timestep.observation
        timestep = environment.step(int(angle + 0.3 * angular_velocity + 0.02 * velocity > 0))
        steps += 1
    assert (steps, timestep.discount) == (500, 1)


def test_steps_are_gymnasiums_own():
    environment = classic_control(seed=1)
    theirs = gymnasium.make("CartPole-v1").unwrapped
    theirs.reset()
    start = environment.reset().observation
    theirs.state = np.array(environment._environment.unwrapped.state)
    for action in (0, 1, 1, 0):
        observation, reward, *_ = theirs.step(action)
        timestep = environment.step(action)
        np.testing.assert_array_equal(timestep.observation, observation)
        assert timestep.reward == reward
    assert np.any(timestep.observation != start)


@pytest.mark.parametrize("action", [-1, 2])
def test_an_action_out_of_range_is_refused(action):
    environment = classic_control(seed=1)
    environment.reset()
    with pytest.raises(ValueError, match=rf"action is {action}, expected an integer from 0 to 1"):
        environment.step(action)


def test_an_unknown_task_is_answered_in_a_line():
    line = r"^classic_control\.task is 'CartPol-v1', expected one of .* mean 'CartPole-v1'\?"
    with pytest.raises(UserError, match=line):
        classic_control(seed=0, task="CartPol-v1")
