"""Protects the planner over the simulator: good actions, equal ones for equal seeds, row by row."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from agents.builder import Role
from agents.simulator_cem import SimulatorCEMBuilder, SimulatorCEMConfig
from pipelines.environments import control_suite, make_environment_spec

CONFIG = SimulatorCEMConfig(
    planning_horizon=4, planning_iterations=3, planning_candidates=40, planning_elites=5, threads=1
)


def make(*seeds: int, task: str = "cartpole_balance", config: SimulatorCEMConfig = CONFIG):
    """Environments at the start of an episode, and the planner's policy over them."""
    environments = [control_suite(seed=seed, task=task, observation="state") for seed in seeds]
    observations = np.stack([environment.reset().observation for environment in environments])
    simulators = [environment.simulator() for environment in environments]
    role = Role(rows=range(len(seeds)), total_rows=len(seeds), simulators=simulators)
    spec = make_environment_spec(environments[0])
    policy = SimulatorCEMBuilder(config).make_policy(None, spec, role)
    return policy, environments, tf.constant(observations)


def test_the_pole_that_falls_is_caught():
    policy, (environment,), observation = make(0)
    environment.simulator().data.qpos[1] = 0.3  # Leans to where the cart must go.
    action, _, info = policy.step(observation, {}, tf.constant([0, 0]))
    assert action.shape == (1, 1) and action.dtype == tf.float32
    mirrored, (other,), observation = make(0)
    other.simulator().data.qpos[1] = -0.3
    opposite, _, _ = mirrored.step(observation, {}, tf.constant([0, 0]))
    assert action.numpy() * opposite.numpy() < 0
    assert 0 < info["predicted_return"].numpy() < 4 * 8


def test_more_planning_promises_more():
    def promise(iterations: int) -> float:
        config = SimulatorCEMConfig(
            planning_horizon=4,
            planning_iterations=iterations,
            planning_candidates=40,
            planning_elites=5,
            threads=1,
        )
        policy, _, observation = make(1, task="cheetah_run", config=config)
        return float(policy.step(observation, {}, tf.constant([0, 1]))[2]["predicted_return"])

    assert promise(6) > promise(1)


def test_the_seed_decides_the_action():
    policy, _, observation = make(0, 1)
    first, again, other = (
        policy.step(observation, {}, tf.constant([7, n]))[0].numpy() for n in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_rows_do_not_see_each_other():
    policy, environments, observation = make(0, 1)
    before = policy.step(observation, {}, tf.constant([0, 0]))[0].numpy()
    environments[1].simulator().data.qpos[1] = 1.0
    after = policy.step(observation, {}, tf.constant([0, 0]))[0].numpy()
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1] != after[1]


def test_idle_rows_cost_nothing():
    policy, _, observation = make(0, 1)
    alone, _, _ = make(0, 1)
    whole = policy.step(observation, {}, tf.constant([0, 0]))[0].numpy()
    action, _, info = alone.step(observation, {}, [0, 0], tf.constant([False, True]))
    np.testing.assert_array_equal(action[1], whole[1])
    np.testing.assert_array_equal(action[0], [0])
    assert info["predicted_return"][0] == 0
    assert 2 * alone._pool.timing.steps == policy._pool.timing.steps


def test_as_many_observations_as_environments_are_wanted():
    policy, _, observation = make(0, 1)
    with pytest.raises(ValueError, match="one for each of 2 environments"):
        policy.step(observation[:1], {}, tf.constant([0, 0]))


def test_best_first_acts_bit_for_bit_as_simulating_all_and_simulates_less():
    config = dataclasses.replace(CONFIG, planning_horizon=10, planning_candidates=400)
    whole = dataclasses.replace(config, best_first=False)
    for task in ("ball_in_cup_catch", "walker_stand"):
        (policy, _, observation), (plain, _, _) = (
            make(0, 1, task=task, config=settings) for settings in (config, whole)
        )
        action, _, info = policy.step(observation, {}, tf.constant([3, 4]))
        expected, _, expected_info = plain.step(observation, {}, tf.constant([3, 4]))
        np.testing.assert_array_equal(action, expected)
        name = "predicted_return"
        np.testing.assert_array_equal(info[name], expected_info[name])
        shares = (p.measurements()["planner/simulated_share"] for p in (policy, plain))
        assert next(shares) < next(shares) == 1


def test_measurements_count_what_was_simulated():
    config = dataclasses.replace(CONFIG, best_first=False)
    policy, (environment,), observation = make(0, config=config)
    for n in range(2):
        policy.step(observation, {}, tf.constant([0, n]))
    found = policy.measurements()
    # Two plans of three rounds of 40 rollouts; one step more for the last sensors.
    assert policy._pool.timing.steps == 2 * 3 * 40 * (4 * environment.action_repeat + 1)
    assert 0 < found["planner/simulator_share"] + found["planner/reward_share"] <= 1
    assert found["planner/simulated_share"] == 1
    assert found["planner/decisions_per_second"] > 0
