"""Protects images of any number of channels: what is encoded is what is decoded."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from agents.builder import Role
from agents.planet.learning import align
from agents.planet.networks import preprocess
from tests.agents.planet import tiny


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_image_is_compared_with_all_of_its_own_channels(channels: int):
    shape = (tiny.SIZE, tiny.SIZE, channels)
    spec = tiny.SPEC._replace(observations=tiny.specs.BoundedArray(shape, np.uint8, 0, 255))
    builder = tiny.PlaNetBuilder(tiny.config(dequantisation_noise=False))
    networks = builder.make_networks(spec, seed=0)
    assert networks.online.decoder(tf.zeros([2, 16])).shape == (2, *shape)

    seed = 20 + channels
    print("seed", seed)
    rng = np.random.RandomState(seed)
    pixels = rng.randint(0, 256, [3, 6, *shape]).astype(np.uint8)
    batch = tiny.batch(seed)._replace(observation=tf.constant(pixels))
    for variable in networks.online.decoder.trainable_variables:  # It answers 0 everywhere.
        variable.assign(tf.zeros_like(variable))
    learner = builder.make_learner(networks, seed)
    _, metrics, _ = learner.loss(align(batch), tf.constant([1, 0]), learner.start())
    errors = 0.5 * np.square(preprocess(tf.constant(pixels)))
    least = 0.5 * math.log(2.0 * math.pi) * math.prod(shape)
    expected = errors.sum(axis=(2, 3, 4)).mean() + least
    np.testing.assert_allclose(metrics["loss/image"], expected, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 4])
def test_a_policy_sees_them_and_the_model_imagines_them(channels: int):
    shape = (tiny.SIZE, tiny.SIZE, channels)
    spec = tiny.SPEC._replace(observations=tiny.specs.BoundedArray(shape, np.uint8, 0, 255))
    builder = tiny.PlaNetBuilder(tiny.config())
    networks = builder.make_networks(spec, seed=0)
    policy = builder.make_policy(networks, spec, Role(evaluation=True))
    frames = np.random.RandomState(1).randint(0, 256, [5, *shape]).astype(np.uint8)
    state = policy.initial_state(2)
    action, _, _ = policy.step(tf.constant(frames[:2]), state, tf.constant([0, 0]))
    assert action.shape == (2, tiny.ACTION_SIZE)
    actions = np.zeros([5, tiny.ACTION_SIZE], np.float32)
    (imagined,) = builder.make_open_loop_predictor(networks)(frames, actions, 2)
    assert imagined.frames.shape == frames.shape and imagined.frames.dtype == np.uint8
    assert imagined.rewards is None
