"""Protects PPO and A2C that see images: one torso for both heads, rows and their leading axes."""

from __future__ import annotations

import acme.specs as acme_specs
import numpy as np
import pytest
import tensorflow as tf
from dm_env import specs

from agents.builder import Role
from agents.ppo import PPOBuilder, PPOConfig
from agents.rollouts import Rollouts
from tests.agents.actor_critic import tiny

IMAGES = {
    "torso": "atari",
    "channels": (4,),
    "kernels": (3,),
    "strides": (2,),
    "hidden_layers": (8,),
    "rollout": 6,
    "minibatches": 2,
    "epochs": 2,
}


def spec(shape=(9, 7, 2)) -> acme_specs.EnvironmentSpec:
    seen = specs.BoundedArray(shape, np.uint8, 0, 255, "pixels")
    return tiny.spec(tiny.DISCRETE)._replace(observations=seen)


def test_both_heads_see_by_one_torso_whatever_the_leading_axes():
    rng = np.random.RandomState(0)
    builder = PPOBuilder(PPOConfig(**IMAGES))
    networks = builder.make_networks(spec(), seed=0)
    for variable in networks.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.3))
    image = tf.constant(rng.randint(0, 256, [3, 4, 9, 7, 2]), tf.uint8)
    policy, values = networks(image)
    assert policy.batch_shape == [3, 4] and values.shape == [3, 4]
    flat, flat_values = networks(tf.reshape(image, [12, 9, 7, 2]))
    np.testing.assert_allclose(tf.reshape(policy.logits, [12, -1]), flat.logits, rtol=1e-4)
    np.testing.assert_allclose(tf.reshape(values, [12]), flat_values, rtol=1e-4)
    np.testing.assert_allclose(networks.value(image), values, rtol=1e-4)
    np.testing.assert_allclose(networks.acting(image).logits, policy.logits, rtol=1e-4)
    # A convolution, a dense layer and two heads, weights and offsets each.
    assert len(networks.trainable_variables) == 4 * 2


def test_ppo_learns_from_rollouts_of_images_and_acts_by_them():
    rng = np.random.RandomState(1)
    builder = PPOBuilder(PPOConfig(**IMAGES))
    networks = builder.make_networks(spec(), seed=0)
    data = tiny.rollouts(rng, tiny.DISCRETE)
    seen = tf.constant(rng.randint(0, 256, [4, 7, 9, 7, 2]), tf.uint8)
    learner = builder.make_learner(networks, seed=0)
    before = [v.numpy() for v in networks.trainable_variables]
    metrics = learner.step(Rollouts(**{**data._asdict(), "observation": seen})).metrics
    assert all(np.isfinite(value) for value in metrics.values())
    for old, new in zip(before, networks.trainable_variables, strict=True):
        assert np.any(old != new.numpy()), new.name
    policy = builder.make_policy(networks, spec(), Role(evaluation=True))
    action, _, _ = policy.step(seen[:, 0], policy.initial_state(4), tf.constant([0, 0]))
    np.testing.assert_array_equal(action, networks.acting(seen[:, 0]).mode())
    assert {v.ref() for v in networks.acting.variables} <= {v.ref() for v in policy.variables}


def test_what_does_not_fit_is_refused_in_a_line():
    with pytest.raises(ValueError, match=r"^PPOConfig.normalise_observations = True; expected Fal"):
        PPOConfig(**IMAGES, normalise_observations=True)
    with pytest.raises(ValueError, match=r"^PPOConfig.kernels = \(3, 3\); expected one for each"):
        PPOConfig(**{**IMAGES, "kernels": (3, 3)})
    with pytest.raises(ValueError, match=r"^PPOConfig.torso takes images"):
        PPOBuilder(PPOConfig(**IMAGES)).make_networks(tiny.spec(tiny.DISCRETE), seed=0)
    with pytest.raises(ValueError, match=r"^PPO needs states, float32 \[n\], got observations"):
        PPOBuilder(PPOConfig()).make_networks(spec(), seed=0)
