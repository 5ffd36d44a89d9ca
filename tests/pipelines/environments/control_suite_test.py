"""Protects the control suite: contract, repeat, bounds, frames and answers to bad input."""

from __future__ import annotations

import subprocess
import sys

import gin
import numpy as np
import pytest
from dm_env import specs

from pipelines.environments import control_suite
from pipelines.environments.control_suite import _normalise
from pipelines.system.errors import UserError
from tests.pipelines.environments.environment_contract import (
    EnvironmentContract,
    play,
    random_action,
)

PLANET_REPEATS = {
    "cartpole_balance": 8,
    "cartpole_swingup": 8,
    "reacher_easy": 4,
    "cheetah_run": 4,
    "finger_spin": 2,
    "ball_in_cup_catch": 4,
    "walker_walk": 2,
}


class TestPixels(EnvironmentContract):
    name = "dm_control/cartpole_balance"

    def make(self, seed):
        return control_suite(seed=seed, image_size=32, action_repeat=40)


class TestState(EnvironmentContract):
    name = "dm_control/reacher_easy"

    def make(self, seed):
        return control_suite(seed=seed, task="reacher_easy", observation="state", action_repeat=40)


def raw_environment(domain, task, seed):
    from dm_control import suite

    return suite.load(domain, task, task_kwargs={"random": seed})


@pytest.mark.parametrize("action_repeat", [1, 7, 8])
def test_action_repeat_sums_the_rewards_of_the_raw_steps(action_repeat):
    environment = control_suite(
        seed=7, task="cheetah_run", observation="state", action_repeat=action_repeat
    )
    raw = raw_environment("cheetah", "run", seed=7)
    environment.reset(), raw.reset()
    rng = np.random.RandomState(8)
    ended = False
    for _ in range(30 if action_repeat == 1 else 1000 // action_repeat + 1):
        action = random_action(environment.action_spec(), rng)
        timestep = environment.step(action)
        reward = 0.0
        for _ in range(action_repeat):
            raw_timestep = raw.step(action.astype(np.float64))
            reward += raw_timestep.reward
            if raw_timestep.last():
                break
        assert timestep.reward == np.float32(reward)
        assert timestep.step_type == raw_timestep.step_type
        raw_state = np.concatenate(list(raw_timestep.observation.values()))
        np.testing.assert_array_equal(timestep.observation, raw_state.astype(np.float32))
        ended = timestep.last()
        if ended:
            break
    assert ended == (action_repeat > 1)


@pytest.mark.parametrize("task", PLANET_REPEATS)
def test_default_action_repeat_is_planets_and_an_episode_has_1000_simulator_steps(task):
    environment = control_suite(seed=0, task=task, observation="state")
    assert environment.action_repeat == PLANET_REPEATS[task]
    if environment.action_repeat < 8:
        environment = control_suite(seed=0, task=task, observation="state", action_repeat=50)
    assert len(play(environment, action_seed=0)) - 1 == 1000 // environment.action_repeat


def test_wrapped_angles_stay_small_while_the_simulation_is_the_same():
    made = dict(seed=3, task="reacher_easy", observation="state", action_repeat=10)
    free, wrapped = control_suite(**made), control_suite(**made, wrap_angles=True)
    free.reset(), wrapped.reset()
    most = np.zeros(2)
    for _ in range(60):
        theirs, ours = (each.step([1.0, 0.2]) for each in (free, wrapped))
        # Shoulder, wrist; then where the target is, and velocities.
        most = np.maximum(most, np.abs([theirs.observation[0], ours.observation[0]]))
        turns = (theirs.observation[0] - ours.observation[0]) / (2 * np.pi)
        np.testing.assert_allclose(turns, np.round(turns), atol=1e-4)
        np.testing.assert_allclose(ours.observation[1:], theirs.observation[1:], atol=1e-4)
        assert ours.reward == theirs.reward
    assert most[0] > 10 and most[1] < 2 * np.pi
    assert len(control_suite(seed=3, task="finger_spin", wrap_angles=True, image_size=16)._wrapped)


def test_a_repeat_that_does_not_divide_the_episode_shortens_the_last_step():
    environment = control_suite(seed=0, observation="state", action_repeat=300)
    timesteps = play(environment, action_seed=0)
    assert len(timesteps) - 1 == 4
    assert timesteps[-1].reward <= 100
    assert timesteps[-1].discount == 1


def test_a_task_that_ends_itself_has_discount_0():
    environment = control_suite(seed=0, task="lqr_lqr_2_1", observation="state")
    environment.reset()
    physics = environment._environment.physics
    physics.data.qpos[:] = 0
    physics.forward()
    timestep = environment.step(np.zeros(1, np.float32))
    assert timestep.last() and timestep.discount == 0
    assert environment.step(np.zeros(1, np.float32)).first()


def test_a_task_without_a_time_limit_is_cut_off_after_1000_simulator_steps():
    environment = control_suite(seed=0, task="lqr_lqr_2_1", observation="state", action_repeat=50)
    timesteps = play(environment, action_seed=0)
    assert len(timesteps) - 1 == 20
    assert timesteps[-1].discount == 1


def test_actions_are_rescaled_to_the_tasks_bounds():
    spec = specs.BoundedArray((3,), np.float64, [-1.0, 0.5, -1e10], [1.0, 2.5, 1e10])
    normalised, offset, scale = _normalise(spec)
    np.testing.assert_array_equal(normalised.maximum, np.ones(3))
    np.testing.assert_array_equal(offset + scale * -1.0, [-1.0, 0.5, -1.0])
    np.testing.assert_array_equal(offset + scale * 1.0, [1.0, 2.5, 1.0])


def test_quadrupeds_full_action_reaches_the_actuators_limits():
    environment = control_suite(seed=0, task="quadruped_walk", observation="state")
    environment.reset()
    environment.step(np.ones(environment.action_spec().shape, np.float32))
    raw = environment._environment
    np.testing.assert_allclose(raw.physics.data.ctrl, raw.action_spec().maximum)


def test_state_holds_the_observation_dictionary_in_its_order():
    environment = control_suite(seed=9, observation="state")
    raw = raw_environment("cartpole", "balance", seed=9).reset().observation
    expected = np.concatenate([raw["position"], raw["velocity"]]).astype(np.float32)
    np.testing.assert_array_equal(environment.reset().observation, expected)


def test_pixels_are_the_state_that_the_state_twin_reports():
    pixels = control_suite(seed=9, image_size=32)
    state = control_suite(seed=9, observation="state")
    pixels.reset(), state.reset()
    action = np.ones(1, np.float32)
    assert pixels.step(action).reward == state.step(action).reward
    np.testing.assert_array_equal(pixels.step(action).observation, pixels.render(32, 32))


def _orange(frame):
    """Where a frame shows a body: bodies are orange, everything else in these tasks is blue."""
    return frame[..., 0] > frame[..., 2]


@pytest.mark.parametrize("task", ["cartpole_swingup", "cheetah_run", "finger_spin"])
def test_cheap_rendering_leaves_bodies_where_they_are(task):
    frames = [
        control_suite(seed=1, task=task, cheap_rendering=cheap).reset().observation.astype(int)
        for cheap in (True, False)
    ]
    cheap, full = map(_orange, frames)
    assert np.sum(cheap & full) > 0.85 * np.sum(cheap | full)
    assert np.abs(frames[0] - frames[1]).mean() < 10


def test_full_rendering_casts_shadows_and_cheap_does_not():
    cheap, full = (
        control_suite(seed=1, task="finger_spin", cheap_rendering=cheap)
        .reset()
        .observation.astype(int)
        for cheap in (True, False)
    )
    floor = slice(46, 54)
    assert np.ptp(cheap[floor, 10:40].sum(-1)) < np.ptp(full[floor, 10:40].sum(-1))


def test_supersampling_averages_squares_of_a_larger_frame():
    fine = control_suite(seed=0, image_size=64).reset().observation
    coarse = control_suite(seed=0, image_size=32, supersampling=2).reset().observation
    squares = fine.reshape(32, 2, 32, 2, 3).astype(np.float64)
    assert coarse.shape == (32, 32, 3) and coarse.dtype == np.uint8
    assert np.abs(coarse - squares.mean(axis=(1, 3))).max() <= 0.5
    # Drawn at its own size, the pole falls on whole pixels.
    plain = control_suite(seed=0, image_size=32).reset().observation
    assert (coarse != plain).any()


def test_cameras_are_chosen_by_number_or_name():
    by_number = control_suite(seed=1, camera_id=1).reset().observation
    by_name = control_suite(seed=1, camera_id="lookatcart").reset().observation
    np.testing.assert_array_equal(by_number, by_name)
    assert np.any(control_suite(seed=1).reset().observation != by_name)


def test_a_frame_larger_than_the_buffer_is_refused():
    environment = control_suite(seed=1)
    environment.reset()
    with pytest.raises(ValueError, match="frame size is 4000x10, expected 1x1 to 480x640"):
        environment.render(4000, 10)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"task": "cartpole_balanse"}, r"task is 'cartpole_balanse', .* 'cartpole_balance'\?"),
        ({"task": "ball_in_cup"}, r"task is 'ball_in_cup', .* 'ball_in_cup_catch'\?"),
        ({"task": 3}, r"task is 3, expected a domain_task"),
        ({"observation": "pixel"}, r"observation is 'pixel', expected one of .* 'pixels'\?"),
        ({"action_repeat": 0}, r"action_repeat is 0, expected an integer at least 1"),
        ({"action_repeat": 2.5}, r"action_repeat is 2.5, expected an integer"),
        ({"image_size": 7}, r"image_size is 7, expected an integer from 8 to 1024"),
        ({"image_size": "64"}, r"image_size is '64', expected an integer"),
        ({"camera_id": 2}, r"camera_id is 2, expected an integer from -1 to 1"),
        ({"camera_id": "fix"}, r"camera_id is 'fix', expected one of .* 'fixed'\?"),
        ({"supersampling": 0}, r"supersampling is 0, expected an integer from 1 to 16"),
        ({"cheap_rendering": "yes"}, r"cheap_rendering is 'yes', expected True or False"),
    ],
)
def test_bad_arguments_are_answered_in_a_line(arguments, line):
    with pytest.raises(UserError, match=rf"^control_suite\.{line}") as caught:
        control_suite(seed=0, **arguments)
    # gin adds the place of the call in lines of its own.
    assert len(str(caught.value).splitlines()[0]) < 160


def test_gin_binds_the_factory_and_the_seed_stays_the_callers():
    with gin.unlock_config():
        gin.parse_config(
            "control_suite.task = 'walker_walk'\ncontrol_suite.observation = 'state'\n"
            "test_holder.make = @control_suite"
        )
    try:
        assert _holder()(seed=0).name == "dm_control/walker_walk"
    finally:
        gin.clear_config()


@gin.configurable("test_holder")
def _holder(make=None):
    return make


def test_importing_the_package_loads_no_simulator():
    code = (
        "import sys, pipelines.environments\n"
        "heavy = {'dm_control', 'mujoco', 'gymnasium', 'tensorflow', 'acme', 'PIL', 'pygame'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout.strip() == "[]"
