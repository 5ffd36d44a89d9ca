"""Protects PPO's surrogate, its epochs, and the penalty's coefficient."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from agents.ppo import PPOBuilder, PPOConfig
from agents.ppo.learning import PPOLearner
from tests.agents.actor_critic import tiny
from tests.agents.config_contract import ConfigContract

SMALL = {**tiny.SMALL, "epochs": 3, "minibatches": 2}


class TestPPOConfig(ConfigContract):
    config = PPOConfig


@pytest.fixture
def rng() -> np.random.RandomState:
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"seed {seed}")
    return np.random.RandomState(seed)


def make(actions=tiny.DISCRETE, **changes) -> PPOLearner:
    builder = PPOBuilder(PPOConfig(**{**SMALL, **changes}))
    return builder.make_learner(tiny.networks_of(builder, actions), seed=0)


def own_data(rng, learner: PPOLearner):
    """Whose actions have the probabilities that the policy gives them."""
    data = tiny.rollouts(rng, tiny.DISCRETE)
    policy = learner.networks.acting(data.observation[:, :-1])
    return data._replace(extras={"log_prob": policy.log_prob(data.action)})


@pytest.mark.parametrize("surrogate", ["clip", "penalty"])
@pytest.mark.parametrize("normalises", [False, True])
def test_the_surrogate_equals_the_one_written_out(rng, surrogate, normalises):
    settings = {"surrogate": surrogate, "normalise_advantages": normalises, "penalty": 0.7}
    learner = make(**settings)
    rows = learner.rows(tiny.rollouts(rng, tiny.DISCRETE))
    log_prob = learner.networks.acting(rows.observation).log_prob(rows.action)
    count = rows.weight.numpy() == 1
    ratio = np.exp(log_prob - rows.log_prob)[count]
    advantage = rows.advantage.numpy()[count]
    if normalises:
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    near = np.clip(ratio, 0.8, 1.2)
    divergence = np.mean(ratio - 1 - np.log(ratio))
    gain = np.mean(np.minimum(ratio * advantage, near * advantage))
    if surrogate == "penalty":
        gain = np.mean(ratio * advantage) - 0.7 * divergence
    found = learner.surrogate(log_prob, rows)
    expected = [-gain, divergence, np.mean(ratio != near)]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_critic_may_be_kept_near_what_it_was(rng):
    learner = make(clip_values=0.1)
    rows = learner.rows(tiny.rollouts(rng, tiny.DISCRETE))
    values = rows.value + rng.normal(size=rows.value.shape).astype(np.float32)
    count = rows.weight.numpy() == 1
    value, old, target = (x.numpy()[count] for x in (values, rows.value, rows.target))
    near = old + np.clip(value - old, -0.1, 0.1)
    expected = np.mean(np.maximum((target - value) ** 2, (target - near) ** 2)) / 2
    np.testing.assert_allclose(learner.critic_loss(values, rows), expected, rtol=1e-4)


def test_each_epoch_goes_through_all_rows_in_an_order_of_its_own():
    learner = make(epochs=4, minibatches=3)
    order = learner._order(tf.constant(25), tf.constant([7, 1])).numpy()
    assert order.shape == (12, 8)
    epochs = order.reshape([4, 24])
    assert all(len(set(epoch)) == 24 for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 4
    other = learner._order(tf.constant(25), tf.constant([7, 2])).numpy()
    assert np.any(other != order), "another update has another order"


def test_the_first_step_is_made_at_the_policy_that_acted(rng):
    learner = make(epochs=1, minibatches=1)
    data = own_data(rng, learner)
    metrics = learner.update(data, tf.constant([0, 0])).metrics
    np.testing.assert_allclose(metrics["policy/divergence"], 0, atol=1e-6)
    assert metrics["policy/clipped"] == 0
    again = learner.update(data, tf.constant([0, 1])).metrics
    assert again["policy/divergence"] > 1e-5, "the policy has moved"


def test_a_batch_that_has_too_few_rows_for_its_minibatches_is_refused():
    """Each would be empty or, where advantages are normalised, have one row of advantage 0."""
    make(rollout=5, minibatches=5).check_batch(2)
    make(rollout=5, minibatches=5, normalise_advantages=False).check_batch(1)
    with pytest.raises(ValueError, match="minibatches is 5, of 1 rollouts of 5 rows; expected"):
        make(rollout=5, minibatches=5).check_batch(1)
    with pytest.raises(ValueError, match="minibatches is 6, of 1 rollouts of 5 rows; expected"):
        make(rollout=5, minibatches=6, normalise_advantages=False).check_batch(1)


@pytest.mark.parametrize(("aim", "factor"), [(1e-6, 2.0), (10.0, 0.5)])
def test_the_penalty_follows_the_divergence(rng, aim, factor):
    learner = make(surrogate="penalty", penalty=0.8, target_divergence=aim)
    metrics = learner.step(own_data(rng, learner)).metrics
    np.testing.assert_allclose(metrics["policy/penalty"], 0.8)
    np.testing.assert_allclose(learner.penalty, 0.8 * factor)


@pytest.mark.parametrize("actions", [tiny.DISCRETE, tiny.CONTINUOUS])
def test_it_finds_the_best_action(actions):
    """What is done in one state is rewarded by what it is."""
    learner = make(actions, rollout=1, epochs=4, minibatches=1, discount=0.0, learning_rate=0.02)
    state = tf.ones([64, 2, tiny.SIZE])
    for number in range(60):
        policy = learner.networks.acting(state[:, :1])
        action = policy.sample(seed=tf.constant([3, number]))
        earned = action if actions is tiny.DISCRETE else action[..., 0] - action[..., 1]
        data = tiny.Rollouts(
            state,
            action,
            tf.cast(earned, tf.float32),
            tf.ones([64, 1]),
            tf.zeros([64, 2], tf.bool),
            {"log_prob": policy.log_prob(action)},
        )
        learner.step(data)
    best = learner.networks.acting(state[:1, 0]).mode()[0]
    if actions is tiny.DISCRETE:
        assert best == 3
    else:
        assert best[0] > 0.8 and best[1] < 2.1
