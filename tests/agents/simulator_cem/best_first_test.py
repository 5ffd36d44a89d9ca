"""Protects that simulating the best candidates first finds the elites that simulating all finds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from agents.simulator_cem.best_first import elite_returns
from agents.simulators import RolloutPool
from pipelines.environments import control_suite, pets_task

TASKS = (
    "cartpole_balance",  # One step of the simulator a reward.
    "cheetah_run",  # Rewards of sensors.
    "finger_spin",  # Rewards of zero or one: ties.
    "ball_in_cup_catch",
    "walker_stand",
    "reacher_easy",  # The task itself is asked about each state.
)
PETS_TASKS = ("cartpole", "reacher", "pusher")  # The pusher pays for where a step began.
HORIZON, ELITES = 5, 6


def plans(environment, rng, count: int, scale: float = 1.0) -> np.ndarray:
    size = environment.action_spec().shape
    return np.clip(scale * rng.normal(size=[count, HORIZON, *size]), -1, 1)


def best(returns: np.ndarray) -> np.ndarray:
    """The elites, in `tf.math.top_k`'s order."""
    return np.argsort(-returns.astype(np.float32), kind="stable")[:ELITES]


def check(simulator, actions) -> float:
    """Compares with simulating all; returns the share of the steps that it took."""
    all_of_them, some = RolloutPool(2), RolloutPool(2)
    expected = all_of_them.returns(simulator, actions).astype(np.float32)
    found = elite_returns(some, simulator, actions, ELITES)
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_array_equal(best(found), best(expected))
    known = np.isfinite(found)
    np.testing.assert_array_equal(found[known], expected[known])
    assert known.sum() >= ELITES
    return some.timing.steps / all_of_them.timing.steps


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("seed", (3, 4))
def test_elites_and_their_returns_are_those_of_simulating_all(task: str, seed: int):
    environment = control_suite(seed=seed, task=task, observation="state")
    rng = np.random.RandomState(seed)
    environment.reset()
    for _ in range(4):
        environment.step(rng.uniform(-1, 1, environment.action_spec().shape))
        assert check(environment.simulator(), plans(environment, rng, 40)) <= 1


@pytest.mark.parametrize("task", PETS_TASKS)
def test_the_tasks_of_pets_keep_their_elites_and_bounds(task: str):
    environment = pets_task(seed=5, task=task)
    rng = np.random.RandomState(5)
    environment.reset()
    for _ in range(3):
        environment.step(rng.uniform(-1, 1, environment.action_spec().shape))
        assert check(environment.simulator(), plans(environment, rng, 40)) <= 1


def test_a_caught_ball_needs_little_more_than_the_elites():
    environment = control_suite(seed=2, task="ball_in_cup_catch", observation="state")
    environment.reset()
    simulator = environment.simulator()
    simulator.data.qpos[:] = 0.0, 0.0, 0.0, 0.37  # In the cup.
    share = check(simulator, plans(environment, np.random.RandomState(2), 400, scale=0.01))
    # A call takes 100 sequences here; all of them stay in the cup, at the highest return there is.
    assert 100 / 400 <= share < 110 / 400


def test_a_task_that_pays_more_than_it_says_is_refused():
    environment = control_suite(seed=2, task="cartpole_balance", observation="state")
    environment.reset()
    simulator = dataclasses.replace(environment.simulator(), reward_bound=0.5)
    actions = plans(environment, np.random.RandomState(2), 8)
    with pytest.raises(ValueError, match=r"above the simulator.s bound of 0\.5"):
        elite_returns(RolloutPool(1), simulator, actions, ELITES)
