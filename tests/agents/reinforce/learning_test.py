"""Protects the gradient: what it is made of, whom it reaches, and that it leads to the best."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs

from agents.builder import Role
from agents.reinforce import ReinforceBuilder, ReinforceConfig
from agents.reinforce.learning import ReinforceLearner
from agents.types import Trajectory
from tests.agents.reinforce import tiny


@pytest.fixture
def rng() -> np.random.RandomState:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    return np.random.RandomState(seed)


def written_out(config, rows: Trajectory, log_prob, entropy, values) -> dict[str, float]:
    """The losses, an episode and a step at a time."""
    starts = [*np.flatnonzero(rows.start_of_episode), len(values)]
    returns, errors, steps = [], [], []
    for begin, end in itertools.pairwise(starts):
        following = values[end - 1] if config.bootstrap else 0.0
        found = []
        for t in reversed(range(begin, end - 1)):
            following = rows.reward[t] + config.discount * rows.discount[t] * following
            found.insert(0, float(following))
        steps += range(begin, end - 1)
        returns += found
        errors += [r - v for r, v in zip(found, values[begin : end - 1], strict=True)]
    advantages, errors = np.array(errors), np.array(errors)
    if config.normalise_advantages:
        advantages = (advantages - advantages.mean()) / np.sqrt(advantages.var() + 1e-8)
    count = len(starts) - 1
    return {
        "loss/policy": -(log_prob[steps] * advantages).sum() / count,
        "loss/baseline": 0.5 * (errors**2).sum() / count,
        "policy/entropy": entropy[steps].mean(),
        "baseline/unexplained": errors.var() / np.var(returns),
        "learner/steps": len(steps),
        "advantages": advantages,
        "steps": steps,
        "entropies": entropy[steps].sum() / count,
    }


@pytest.mark.parametrize("actions", [tiny.DISCRETE, tiny.CONTINUOUS])
@pytest.mark.parametrize(
    "changes",
    [
        {"entropy_scale": 0.1},
        {"bootstrap": False, "normalise_advantages": True},
        {"baseline": False},
        {"shared_torso": True},
    ],
)
def test_losses_and_the_policys_gradient_equal_those_written_out(rng, actions, changes):
    builder, networks = tiny.builder_and_networks(actions, **changes)
    learner = builder.make_learner(networks, seed=0)
    rows = tiny.episodes(rng, actions, rng.randint(1, 9, 4))
    variables = networks.policy.trainable_variables
    with tf.GradientTape(persistent=True) as tape:
        loss, metrics = learner.loss(rows)
        policy, values = networks(rows.observation)
        log_prob, entropy = policy.log_prob(rows.action), policy.entropy()
    expected = written_out(builder.config, rows, log_prob.numpy(), entropy.numpy(), values.numpy())
    for name, value in metrics.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)
    total = expected["loss/policy"] - builder.config.entropy_scale * expected["entropies"]
    total += expected["loss/baseline"] if builder.config.baseline else 0.0
    np.testing.assert_allclose(loss, total, rtol=1e-4, atol=1e-5)

    weights = np.zeros(len(values), np.float32)
    weights[expected["steps"]] = expected["advantages"] / 4
    found = tape.gradient(metrics["loss/policy"], variables)
    wanted = tape.gradient(log_prob, variables, output_gradients=tf.constant(-weights))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def gradients(learner: ReinforceLearner, rows: Trajectory, loss: str) -> tuple[list, list, list]:
    """Of one loss: for the policy's torso, for its head, and for what the baseline alone has."""
    with tf.GradientTape() as tape:
        _, metrics = learner.loss(rows)
    networks = learner.networks
    variables = networks.policy.trainable_variables, networks.baseline.trainable_variables
    policy, baseline = tape.gradient(metrics[loss], variables)
    return policy[:2], policy[2:], baseline


def reaches(found: list) -> bool:
    return any(gradient is not None and np.any(gradient != 0) for gradient in found)


@pytest.mark.parametrize("shared", [False, True])
def test_each_loss_changes_its_own_network_and_the_torso_they_share(rng, shared):
    builder, networks = tiny.builder_and_networks(tiny.DISCRETE, shared_torso=shared)
    learner = builder.make_learner(networks, seed=0)
    rows = tiny.episodes(rng, tiny.DISCRETE, [3, 5, 4])
    torso, head, baseline = gradients(learner, rows, "loss/policy")
    assert reaches(torso) and reaches(head) and not reaches(baseline)
    torso, head, baseline = gradients(learner, rows, "loss/baseline")
    assert reaches(baseline) and reaches(torso) == shared and not reaches(head)


def test_final_observations_matter_only_where_a_time_limit_cut_the_episode(rng):
    builder, networks = tiny.builder_and_networks(tiny.DISCRETE)
    learner = builder.make_learner(networks, seed=0)
    rows = tiny.episodes(rng, tiny.DISCRETE, [3, 3])  # The second one was cut.
    losses = []
    for row in (None, 3, 7):
        observation = rows.observation.numpy()
        observation[[] if row is None else row] += 1.0
        losses.append(float(learner.loss(rows._replace(observation=observation))[0]))
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
    metrics = learner.step(tiny.episodes(rng, actions, [2, 3])).metrics
    assert all(np.isfinite(value) for value in metrics.values())
    assert all(np.all(np.isfinite(v)) for v in networks.trainable_variables)
