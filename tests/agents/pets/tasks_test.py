"""Protects what the agent is told of each task against the environments themselves."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.pets.tasks import TASKS, reacher_end
from pipelines.environments import pets_task

PAID_FOR_WHAT_FOLLOWS = ("cartpole", "reacher", "half_cheetah")  # The pusher, for what was.


@pytest.mark.parametrize("name", PAID_FOR_WHAT_FOLLOWS)
def test_the_reward_is_the_environments(name: str):
    environment, task = pets_task(seed=3, task=name), TASKS[name]
    rng = np.random.RandomState(0)
    before, paid, promised = environment.reset().observation, [], []
    for _ in range(6):
        action = rng.uniform(-1, 1, environment.action_spec().shape).astype(np.float32)
        timestep = environment.step(action)
        arrays = (before, action, timestep.observation)
        promised.append(float(task.reward(*(tf.constant(a[None], tf.float32) for a in arrays))[0]))
        paid.append(float(timestep.reward))
        before = timestep.observation
    np.testing.assert_allclose(promised, paid, rtol=1e-3, atol=1e-4)


def test_the_pushers_distances_are_the_environments():
    environment = pets_task(seed=3, task="pusher")
    observation = environment.reset().observation
    still = np.zeros(7, np.float32)
    timestep = environment.step(still)  # Pays for the state it starts from.
    reward = TASKS["pusher"].reward(
        *(tf.constant(a[None]) for a in (observation, still, observation))
    )
    np.testing.assert_allclose(reward[0], timestep.reward, rtol=1e-4)


def test_the_reachers_end_is_where_mujoco_has_it():
    environment = pets_task(seed=0, task="reacher")
    rng = np.random.RandomState(1)
    environment.reset()
    for _ in range(5):
        for _ in range(4):
            timestep = environment.step(rng.uniform(-1, 1, 7))
        end = reacher_end(tf.constant(timestep.observation[None, :7]))[0]
        np.testing.assert_allclose(end, environment.simulator().data.sensordata, atol=1e-5)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_advance_inverts_targets(name: str):
    task = TASKS[name]
    size = task.observation_size or 5
    rng = np.random.RandomState(0)
    observation, following = rng.normal(size=[2, 3, size]).astype(np.float32)
    if name == "reacher":
        following[:, 7:10] = observation[:, 7:10]  # A target does not move.
    observation, following = tf.constant(observation), tf.constant(following)
    back = task.advance(observation, task.targets(observation, following))
    np.testing.assert_allclose(back, following, atol=1e-6)


def test_angles_enter_as_sine_and_cosine():
    observation = np.array([[1.0, 0.3, 2.0, 3.0]], np.float32)
    turned = observation + np.array([[0, 2 * np.pi, 0, 0]], np.float32)
    features = TASKS["cartpole"].features
    np.testing.assert_allclose(features(observation), features(turned), atol=1e-5)
    np.testing.assert_allclose(features(observation)[0], [np.sin(0.3), np.cos(0.3), 1, 2, 3])


def test_the_cheetahs_place_does_not_enter():
    observation = np.random.RandomState(0).normal(size=[1, 18]).astype(np.float32)
    changed = observation.copy()
    changed[0, 0] += 5
    features = TASKS["half_cheetah"].features
    np.testing.assert_array_equal(features(observation), features(changed))
    assert features(observation).shape == (1, 18)
