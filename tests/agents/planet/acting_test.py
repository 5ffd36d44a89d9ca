from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.builder import Role
from agents.planet.acting import latent_model
from agents.policy import Policy
from ops.cem.latent_reference import imagined_return
from tests.agents.planet import tiny
from tests.agents.policy_contract import PolicyContract, observe


class TestPlaNetPolicy(PolicyContract):
    low, high = -1, 1

    def make(self) -> Policy:
        return make_policy(evaluation=False)


class TestPlaNetPolicyForEvaluation(PolicyContract):
    low, high = -1, 1

    def make(self) -> Policy:
        return make_policy(evaluation=True, planning_latents="mean")


def make_policy(evaluation: bool, **overrides) -> Policy:
    builder, networks = tiny.builder_and_networks(seed=3, **overrides)
    rng = np.random.RandomState(4)  # Untrained rewards hardly differ; large weights make them.
    for variable in networks.trainable_variables:
        variable.assign(0.5 * rng.normal(size=variable.shape))
    return builder.make_policy(networks, tiny.SPEC, Role(evaluation=evaluation))


def first_actions(policy: Policy) -> np.ndarray:
    return policy.step(observe(policy, 64), policy.initial_state(64), tf.constant([0, 1]))[
        0
    ].numpy()


def test_evaluation_plans_as_acting_does_but_without_noise():
    options = {"planning_candidates": 10, "planning_elites": 2, "planning_iterations": 2}
    quiet = first_actions(make_policy(evaluation=True, exploration_noise=0.3, **options))
    same = first_actions(make_policy(evaluation=False, exploration_noise=0.0, **options))
    loud = first_actions(make_policy(evaluation=False, exploration_noise=0.3, **options))
    np.testing.assert_allclose(quiet, same, atol=1e-5)
    inside = np.abs(loud) < 1
    assert 0.2 < (loud - quiet)[inside].std() < 0.4


def test_the_state_carries_the_action_that_was_executed():
    policy = make_policy(evaluation=False)
    action, state, _ = policy.step(observe(policy, 2), policy.initial_state(2), tf.constant([0, 1]))
    np.testing.assert_array_equal(state["action"], action)


def test_the_belief_is_filtered_over_the_episode():
    policy = make_policy(evaluation=True)
    observation, start = observe(policy, 2), policy.initial_state(2)
    _, state, _ = policy.step(observation, start, tf.constant([0, 1]))
    _, from_start, _ = policy.step(observation, start, tf.constant([0, 2]))
    _, carried, _ = policy.step(observation, state, tf.constant([0, 2]))
    assert np.abs(carried["deterministic"] - from_start["deterministic"]).max() > 1e-3


@pytest.mark.parametrize("latents", ["mean", "sample"])
@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_planner_imagines_what_the_model_does(kind: str, latents: str):
    model = tiny.builder_and_networks(seed=3, dynamics=kind, reward_layers=(9, 8))[1].acting
    rng = np.random.RandomState(5)
    for variable in model.trainable_variables:
        variable.assign(0.5 * rng.normal(size=variable.shape))
    actions = tf.constant(rng.uniform(-1, 1, [2, 4, 3, tiny.ACTION_SIZE]), tf.float32)
    noise = tf.constant(rng.normal(size=[3, 8, 4]), tf.float32) if latents == "sample" else None
    start = model.dynamics.initial(2)
    config = tiny.config(dynamics=kind, reward_layers=(9, 8))
    actual = imagined_return(
        latent_model(model, config), start.deterministic, start.stochastic, actions, noise
    )
    states = model.dynamics.imagine(
        model.dynamics.initial(8),
        tf.reshape(actions, [8, 3, tiny.ACTION_SIZE]),
        noise=None if noise is None else tf.transpose(noise, [1, 0, 2]),
    )
    expected = tf.reduce_sum(model.reward(states.features), axis=1)
    np.testing.assert_allclose(actual, tf.reshape(expected, [2, 4]), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_both_backends_make_the_same_plan(kind: str):
    first = {
        backend: first_actions(
            make_policy(evaluation=True, dynamics=kind, planning_backend=backend)
        )
        for backend in ("native", "tensorflow")
    }
    np.testing.assert_allclose(first["native"], first["tensorflow"], atol=1e-3)


@pytest.fixture(scope="module", params=tiny.KINDS)
def trained(request):
    """A learner that has seen one small batch often; a reward is its action's a_0 − a_1."""
    builder, networks = tiny.builder_and_networks(
        dynamics=request.param,
        free_nats=0.0,
        reward_scale=10.0,
        learning_rate=5e-3,
        dequantisation_noise=False,
        batch_size=16,
        planning_candidates=200,
        planning_elites=20,
    )
    learner = builder.make_learner(networks, seed=1)
    batch = tiny.batch(seed=6, batch_size=16)
    metrics = [learner.step(batch).metrics for _ in range(200)]
    return builder, networks, metrics


def test_a_learner_overfits_one_batch(trained):
    _, _, metrics = trained
    first, last = metrics[0], metrics[-1]
    print({name: (float(first[name]), float(last[name])) for name in first})
    assert last["loss/total"] < first["loss/total"] - 1
    assert last["model/reward_error"] < min(0.25, 0.5 * first["model/reward_error"])


def test_the_plan_goes_where_the_reward_is(trained):
    builder, networks, _ = trained
    policy = builder.make_policy(networks, tiny.SPEC, Role(evaluation=True))
    action, _, info = policy.step(observe(policy, 8), policy.initial_state(8), tf.constant([0, 1]))
    assert np.all(action[:, 0] > 0) and np.all(action[:, 1] < 0), action
    assert np.mean(action[:, 0] - action[:, 1]) > 1.2, "2 would be the best there is"
    # Three steps of at most two each: what the plan promises is there to be had.
    assert np.all(info["predicted_return"] > 2) and np.all(info["predicted_return"] < 8)
