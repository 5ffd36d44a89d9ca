"""Protects planners and particles: what they find, and how uncertainty is carried on."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.pets.acting import PETSPolicy
from agents.pets.networks import DynamicsModel
from agents.pets.planning import plan
from agents.pets.propagation import imagine, imagined_returns
from tests.agents.pets.tiny import tiny

PROPAGATIONS = ("E", "DS", "MM", "TS1", "TSinf")
GOALS = np.array([[0.3, -0.6], [-0.9, 0.1]], np.float32)  # [B, A]


def quadratic(actions, seed):
    """Best where every action of row b is its goal."""
    return -tf.reduce_sum(tf.square(actions - GOALS[:, None, None]), axis=[2, 3])


def model_of(seed: int = 0, **changes):
    tf.random.set_seed(seed)
    config = tiny(**changes)
    return config, DynamicsModel(config, observation_size=4, action_size=1)


def inputs(count: int = 5, seed: int = 1):
    rng = np.random.RandomState(seed)
    observation = tf.constant(rng.normal(size=[count, 4]), tf.float32)
    return observation, tf.constant(rng.uniform(-1, 1, [count, 3, 1]), tf.float32)


@pytest.mark.parametrize(("planner", "tolerance"), [("cem", 0.05), ("mppi", 0.25), ("random", 0.6)])
def test_planners_find_the_best_plan_of_each_row(planner: str, tolerance: float):
    config = tiny(
        planner=planner,
        planning_iterations=12,
        planning_candidates=300,
        planning_elites=20,
        planning_horizon=2,
        mppi_temperature=0.05,
        planning_min_variance=1e-5,
    )
    found = plan(config, quadratic, tf.zeros([2, 2, 2]), tf.constant([0, 1]))
    assert found.actions.shape == (2, 2, 2)
    np.testing.assert_allclose(found.actions, np.repeat(GOALS[:, None], 2, 1), atol=tolerance)
    assert np.all(found.predicted_return <= 0)


@pytest.mark.parametrize("truncation", [True, False])
def test_candidates_stay_within_the_bounds(truncation: bool):
    seen = []

    def objective(actions, seed):
        seen.append((tf.reduce_min(actions), tf.reduce_max(actions)))
        return tf.reduce_sum(actions, axis=[2, 3])  # Pulls to the upper bound.

    config = tiny(planning_truncation=truncation, planning_min_variance=0.0, planning_iterations=1)
    mean = tf.fill([2, 4, 1], 0.9)
    plan(config, objective, mean, tf.constant([0, 0]))
    low, high = seen[-1]
    assert low >= -1 and high <= 1


def test_a_search_that_has_converged_stays_as_it_is():
    config = tiny(planning_min_variance=1.0)  # Over before it begins.
    mean = tf.fill([2, 4, 2], 0.25)
    found = plan(config, quadratic, mean, tf.constant([0, 0]))
    np.testing.assert_array_equal(found.actions, mean)


def test_a_search_of_converged_rows_alone_is_over():
    rounds = []

    def objective(actions, seed):
        rounds.append(0)
        goals = tf.constant([[0.0], [0.5]])[:, None, None]
        return -tf.reduce_sum(tf.square(actions - goals), axis=[2, 3])

    config = tiny(planning_iterations=50, planning_candidates=200, planning_elites=20)
    found = plan(config, objective, tf.zeros([2, 1, 1]), tf.constant([0, 0]))
    assert 2 < len(rounds) < 20
    np.testing.assert_allclose(found.actions[:, 0, 0], [0.0, 0.5], atol=0.05)


PLANNERS = ("cem", "random", "mppi")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("planner", "tolerance"), [("cem", 0.01), ("random", 0.05), ("mppi", 0.05)]
)
def test_a_candidate_without_a_finite_return_is_never_chosen(planner, tolerance, bad):
    """However bad the others are: the least cost is 3e7, at 0.1; from 0.2 on there is none."""

    def objective(actions, seed):
        cost = 1e7 * (3.0 + tf.reduce_sum(tf.square(actions - 0.1), axis=[2, 3]))
        return tf.where(actions[:, :, 0, 0] > 0.2, bad, -cost)

    config = tiny(
        planner=planner,
        planning_horizon=1,
        planning_iterations=12,
        planning_candidates=300,
        planning_elites=20,
        planning_min_variance=1e-6,
    )
    found = plan(config, objective, tf.zeros([2, 1, 1]), tf.constant([0, 1]))
    np.testing.assert_allclose(found.actions, np.full([2, 1, 1], 0.1), atol=tolerance)
    np.testing.assert_allclose(found.predicted_return, [-3e7, -3e7], rtol=1e-2)


def test_where_fewer_than_the_elites_are_finite_those_count_alone():
    def objective(actions, seed):  # Two of row 0, all of row 1; the last is the worst.
        returns = -tf.range(20.0)[None] + tf.zeros([2, 1])
        return tf.where(returns < tf.constant([[-1.0], [-30.0]]), np.nan, returns)

    drawn = []

    def recorded(actions, seed):
        drawn.append(actions.numpy())
        return objective(actions, seed)

    config = tiny(planning_iterations=1, planning_momentum=0.0)
    found = plan(config, recorded, tf.zeros([2, 4, 1]), tf.constant([0, 0]))
    np.testing.assert_allclose(found.actions[0], drawn[0][0, :2].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.actions[1], drawn[0][1, :4].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(found.predicted_return, [-0.5, -1.5])


@pytest.mark.parametrize("planner", PLANNERS)
def test_a_row_without_any_finite_return_stays_where_it_is_and_says_so(planner: str):
    """Beside it, the other row searches as if it were alone."""

    def objective(actions, seed):
        returns = -tf.reduce_sum(tf.square(actions - 0.5), axis=[2, 3])
        return tf.where(tf.constant([[True], [False]]), np.nan, returns)

    config, mean = tiny(planner=planner), tf.fill([2, 4, 1], 0.25)
    found = plan(config, objective, mean, tf.constant([0, 0]))
    np.testing.assert_array_equal(found.actions[0], mean[0])
    assert np.isnan(found.predicted_return[0])
    assert np.all(found.actions[1] != mean[1]) and np.isfinite(found.predicted_return[1])


@pytest.mark.parametrize("planner", PLANNERS)
def test_an_observation_that_is_nan_is_no_confident_plan(planner: str):
    config, model = model_of(planner=planner)
    policy = PETSPolicy(config, model, tf.TensorSpec([4]), tf.TensorSpec([1]))
    observation = tf.constant([[0.1, 0.2, 0.3, 0.4], [0.1, np.nan, 0.3, 0.4]])
    action, state, info = policy.step(observation, policy.initial_state(2), tf.constant([0, 0]))
    assert np.all(np.isfinite(action)) and np.all(np.isfinite(state["plan"]))
    np.testing.assert_array_equal(np.isfinite(info["predicted_return"]), [True, False])
    np.testing.assert_array_equal(action[1], [0.0])


@pytest.mark.parametrize("propagation", PROPAGATIONS)
def test_returns_are_the_sum_of_imagined_rewards(propagation: str):
    config, model = model_of(propagation=propagation)
    observation, actions = inputs()
    returns = imagined_returns(config, model, observation, actions, tf.constant([3, 4]))
    imagined = imagine(config, model, observation, actions, tf.constant([3, 4]))
    assert imagined.observations.shape == (3, 5, 1 if propagation == "E" else 6, 4)
    np.testing.assert_allclose(returns, tf.reduce_sum(imagined.rewards, axis=0), rtol=1e-4)


@pytest.mark.parametrize("propagation", ("DS", "MM", "TS1", "TSinf"))
def test_the_particles_first_step_has_the_mixtures_moments(propagation: str):
    config, model = model_of(propagation=propagation, particles=3000)
    observation, actions = inputs(count=2)
    cloud = imagine(config, model, observation, actions[:, :1], tf.constant([0, 0]))
    cloud = cloud.observations[0].numpy()  # [N, P, D]
    copies = lambda x: tf.repeat(x[None], 3, axis=0)  # noqa: E731
    prediction = model.predict(copies(observation), copies(actions[:, 0]))
    means, variances = prediction.mean().numpy(), prediction.variance().numpy()
    mean, variance = means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)
    np.testing.assert_allclose(cloud.mean(axis=1), observation + mean, atol=0.1)
    np.testing.assert_allclose(cloud.var(axis=1), variance, rtol=0.15)


def test_particles_of_tsinf_keep_their_network_and_those_of_ts1_do_not():
    def after(propagation: str) -> np.ndarray:
        config, model = model_of(propagation=propagation, probabilistic=False, particles=6)
        bias = tf.reshape([-10.0, 0.0, 10.0], [3, 1, 1]) * tf.ones([1, 1, 4])
        model.ensemble.weights[-1].assign(tf.zeros_like(model.ensemble.weights[-1]))
        model.ensemble.biases[-1].assign(bias)  # Network e moves everything by −10, 0, 10.
        _, actions = inputs(count=1)
        start = tf.zeros([1, 4])
        return imagine(config, model, start, actions, tf.constant([5, 6])).observations[-1].numpy()

    np.testing.assert_allclose(np.sort(after("TSinf")[0, :, 0]), [-30, -30, 0, 0, 30, 30])
    assert not np.array_equal(np.sort(after("TS1")[0, :, 0]), [-30, -30, 0, 0, 30, 30])


def test_expectation_follows_the_mean_of_the_networks():
    config, model = model_of(propagation="E", probabilistic=False)
    observation, actions = inputs(count=3)
    imagined = imagine(config, model, observation, actions, tf.constant([0, 0])).observations
    state = observation
    for t in range(3):
        copies = lambda x: tf.repeat(x[None], 3, axis=0)  # noqa: E731
        mean = tf.reduce_mean(model.predict(copies(state), copies(actions[:, t])).mean(), axis=0)
        state = state + mean
    np.testing.assert_allclose(imagined[-1, :, 0], state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("propagation", PROPAGATIONS)
def test_candidates_do_not_see_each_other(propagation: str):
    config, model = model_of(propagation=propagation, probabilistic=propagation == "E")
    observation, actions = inputs()
    seed = tf.constant([1, 1])
    before = imagined_returns(config, model, observation, actions, seed)
    changed = tf.concat([actions[:-1], -actions[-1:]], axis=0)
    after = imagined_returns(config, model, observation, changed, seed)
    np.testing.assert_allclose(before[:-1], after[:-1], rtol=1e-5)
    assert before[-1] != after[-1]


@pytest.mark.parametrize("matching", ["states", "predictions"])
def test_moment_matching_leaves_a_gaussian(matching: str):
    config, model = model_of(
        propagation="MM", moment_matching=matching, probabilistic=False, particles=3000
    )
    _, actions = inputs(count=1)
    cloud = imagine(config, model, tf.zeros([1, 4]), actions, tf.constant([2, 2]))
    last = cloud.observations[-1, 0].numpy()
    standard = (last - last.mean(axis=0)) / last.std(axis=0)
    np.testing.assert_allclose(np.mean(standard**4, axis=0), 3.0, atol=0.6)
