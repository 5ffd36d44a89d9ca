"""Protects the gradient: what it is made of, whom it reaches, and that it leads to the best."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs

from agents.builder import Role
from agents.reinforce import ReinforceBuilder, ReinforceConfig
from agents.types import Trajectory
from tests.agents.reinforce import tiny


@pytest.fixture
def rng() -> np.random.RandomState:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    return np.random.RandomState(seed)


def written_out(config, rows: Trajectory, log_prob, entropy, values) -> dict[str, Any]:
    """The losses, an episode and a step at a time."""
    starts = [*np.flatnonzero(rows.start_of_episode), len(values)]
    returns, steps = np.zeros(len(values)), []
    for begin, end in itertools.pairwise(starts):
        returns[end - 1] = values[end - 1] if config.bootstrap else 0.0
        for t in reversed(range(begin, end - 1)):
            returns[t] = rows.reward[t] + config.discount * rows.discount[t] * returns[t + 1]
        steps += range(begin, end - 1)
    errors = (returns - values)[steps]
    advantages = errors
    if config.normalise_advantages:
        advantages = (errors - errors.mean()) / np.sqrt(errors.var() + 1e-8)
    count = len(starts) - 1
    policy_loss = -(log_prob[steps] * advantages).sum() / count
    return {
        "loss/policy": policy_loss,
        "loss/baseline": 0.5 * (errors**2).sum() / count,
        "policy/entropy": entropy[steps].mean(),
        "baseline/unexplained": errors.var() / np.var(returns[steps]),
        "learner/steps": len(steps),
        "total": policy_loss - config.entropy_scale * entropy[steps].sum() / count,
        "weights": (steps, -advantages / count),
    }


@pytest.mark.parametrize("actions", [tiny.DISCRETE, tiny.CONTINUOUS])
@pytest.mark.parametrize(
    "changes",
    [
        {"entropy_scale": 0.1},
        {"bootstrap": False, "normalise_advantages": True},
        {"baseline": False},
    ],
)
def test_losses_and_the_policys_gradient_equal_those_written_out(rng, actions, changes):
    builder, networks = tiny.builder_and_networks(actions, **changes)
    learner = builder.make_learner(networks, seed=0)
    rows = tiny.episodes(rng, actions, rng.randint(1, 9, 4))
    variables = networks.policy.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        loss, metrics = learner.policy_loss(rows, learner.returns(rows))
        policy = networks.policy(rows.observation)
        log_prob, entropy = policy.log_prob(rows.action), policy.entropy()
    values = networks.value(rows.observation).numpy()
    expected = written_out(builder.config, rows, log_prob.numpy(), entropy.numpy(), values)
    for name, value in metrics.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(loss, expected["total"], rtol=1e-4, atol=1e-5)

    steps, of_steps = expected["weights"]
    weights = np.zeros(len(values), np.float32)
    weights[steps] = of_steps
    found = tape.gradient(metrics["loss/policy"], variables)
    wanted = tape.gradient(log_prob, variables, output_gradients=tf.constant(weights))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_each_loss_reaches_its_own_network_alone(rng):
    builder, networks = tiny.builder_and_networks(tiny.DISCRETE)
    learner = builder.make_learner(networks, seed=0)
    rows = tiny.episodes(rng, tiny.DISCRETE, [3, 5, 4])
    with tf.GradientTape(persistent=True) as tape:
        policy_loss, _ = learner.policy_loss(rows, learner.returns(rows))
        baseline_loss = learner.baseline_loss(rows, learner.returns(rows))
    policy, baseline = networks.policy.trainable_variables, networks.baseline.trainable_variables
    assert reached(tape, policy_loss, policy) and not reached(tape, policy_loss, baseline)
    assert reached(tape, baseline_loss, baseline) and not reached(tape, baseline_loss, policy)


def reached(tape: tf.GradientTape, loss: tf.Tensor, variables: Sequence[tf.Variable]) -> bool:
    gradients = tape.gradient(loss, variables)
    return any(gradient is not None and np.any(gradient != 0) for gradient in gradients)


def test_an_update_moves_the_policy_once_and_the_baseline_as_often_as_told(rng):
    """Adam's first steps are of the learning rate's size."""
    rows = tiny.episodes(rng, tiny.DISCRETE, [9, 9])._replace(reward=tf.fill([20], 10.0))
    for steps in (1, 3):
        builder, networks = tiny.builder_and_networks(
            tiny.DISCRETE, baseline_steps=steps, learning_rate=0.01, baseline_learning_rate=0.001
        )
        learner = builder.make_learner(networks, seed=0)
        bias = networks.baseline.trainable_variables[-2]
        parts = (networks.policy.trainable_variables[-2], bias)
        before = [part.numpy() for part in parts]
        learner.step(rows)
        moved = [np.abs(part.numpy() - old).max() for part, old in zip(parts, before, strict=True)]
        np.testing.assert_allclose(moved, [0.01, 0.001 * steps], rtol=1e-2)


def test_final_observations_matter_only_where_a_time_limit_cut_the_episode(rng):
    builder, networks = tiny.builder_and_networks(tiny.DISCRETE)
    learner = builder.make_learner(networks, seed=0)
    rows = tiny.episodes(rng, tiny.DISCRETE, [3, 3])  # The second one was cut.
    losses = []
    for row in (None, 3, 7):
        observation = rows.observation.numpy()
        observation[[] if row is None else row] += 1.0
        seen = rows._replace(observation=observation)
        losses.append(float(learner.policy_loss(seen, learner.returns(seen))[0]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] != pytest.approx(losses[2], rel=1e-5)


def best_arm(action: np.ndarray) -> np.ndarray:
    return np.float32(action == 2)


def near_the_target(action: np.ndarray) -> np.ndarray:
    return -np.float32(np.square(action - [0.5, 2.25]).sum(-1))


@pytest.mark.parametrize("changes", [{}, {"baseline": False}, {"normalise_advantages": True}])
@pytest.mark.parametrize(
    ("actions", "reward", "best"),
    [(tiny.DISCRETE, best_arm, 2), (tiny.CONTINUOUS, near_the_target, [0.5, 2.25])],
)
def test_of_a_bandits_arms_the_best_one_is_found(actions, reward, best, changes):
    config = ReinforceConfig(hidden_layers=(8,), learning_rate=0.01, **changes)
    builder, spec = ReinforceBuilder(config), tiny.spec(actions)
    networks = builder.make_networks(spec, seed=0)
    learner = builder.make_learner(networks, seed=0)
    policy = builder.make_policy(networks, spec, Role())
    seen = tf.ones([2 * 64, tiny.SIZE])
    last = tf.tile([False, True], [64])
    for update in range(200):
        action, _, _ = policy.step(seen, {}, tf.constant([0, update]))
        paid = tf.where(last, 0.0, reward(action.numpy()))
        learner.step(Trajectory(seen, action, paid, tf.zeros([2 * 64]), tf.logical_not(last)))
    judged = builder.make_policy(networks, spec, Role(evaluation=True))
    action, _, _ = judged.step(seen[:1], {}, tf.constant([0, 0]))
    np.testing.assert_allclose(action[0], best, atol=0.1)


def test_no_gradient_is_lost_where_zero_is_no_action(rng):
    """The rows of final observations hold zeros as actions, which these bounds exclude."""
    actions = specs.BoundedArray([2], np.float32, 2, 3)
    builder, networks = tiny.builder_and_networks(actions)
    learner = builder.make_learner(networks, seed=0)
    metrics = learner.step(tiny.episodes(rng, actions, tf.constant([2, 3]))).metrics
    assert all(np.isfinite(value) for value in metrics.values())
    assert all(np.all(np.isfinite(v)) for v in networks.trainable_variables)
