"""The three functions fit together in every torso, normalise what they should, and compile."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from agents.boards.planes import action_planes
from agents.muzero import MuZeroConfig
from agents.muzero.networks import MuZeroNetwork
from tests.agents.muzero import tiny

TORSOS = {
    "vectors": tiny.VECTORS,
    "board": tiny.BOARD,
    "atari": tiny.ATARI,
    "batch": dataclasses.replace(tiny.BOARD, normalisation="batch"),
    "layer": dataclasses.replace(tiny.VECTORS, normalisation="layer"),
}


def make(config: MuZeroConfig) -> MuZeroNetwork:
    return tiny.builder(config).make_networks(tiny.spec(config), seed=0).online


def inputs(config: MuZeroConfig, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    rng = np.random.RandomState(1)
    seen = tiny.batch_of(config, rng, size * config.frame_stack)
    seen = tf.nest.flatten(seen)[0]
    observations = tf.reshape(seen, [size, config.frame_stack, *seen.shape[1:]])
    return observations, tf.constant(rng.randint(0, 4, [size, config.frame_stack]), tf.int32)


def randomised(network: MuZeroNetwork) -> MuZeroNetwork:
    """The last layers start at zero; here they shall say something."""
    rng = np.random.RandomState(2)
    for variable in network.trainable_variables:
        variable.assign_add(0.3 * rng.normal(size=variable.shape).astype(np.float32))
    return network


@pytest.mark.parametrize("name", TORSOS)
def test_shapes_fit_and_latents_lie_between_zero_and_one(name: str):
    config = TORSOS[name]
    network = randomised(make(config))
    root = network.initial_inference(*inputs(config, 3))
    after = network.recurrent_inference(root.latent, tf.constant([0, 1, 3]))
    outputs = 1 if config.value_limit is None else 2 * config.value_limit + 1
    for prediction in (root, after):
        assert prediction.prior_logits.shape == (3, tiny.NUM_ACTIONS)
        assert prediction.value.shape == prediction.reward.shape == (3, outputs)
        axes = list(range(1, prediction.latent.shape.rank))
        np.testing.assert_allclose(tf.reduce_min(prediction.latent, axes), np.zeros(3), atol=1e-6)
        np.testing.assert_allclose(tf.reduce_max(prediction.latent, axes), np.ones(3), atol=1e-6)
    assert root.latent.shape == after.latent.shape
    assert not np.any(root.reward) and np.any(after.reward)


@pytest.mark.parametrize("name", TORSOS)
def test_the_action_changes_what_follows(name: str):
    config = TORSOS[name]
    network = randomised(make(config))
    latent = network.initial_inference(*inputs(config, 1)).latent
    results = [
        network.recurrent_inference(latent, tf.constant([action])).latent.numpy()
        for action in range(tiny.NUM_ACTIONS)
    ]
    assert all(np.any(results[0] != result) for result in results[1:])


@pytest.mark.parametrize("name", TORSOS)
def test_the_networks_compile_under_xla(name: str):
    config = TORSOS[name]
    network = randomised(make(config))

    def both(observations, past, action):
        root = network.initial_inference(observations, past)
        return root, network.recurrent_inference(root.latent, action)

    arguments = (*inputs(config, 2), tf.constant([1, 2]))
    compiled = tf.function(both, jit_compile=True)(*arguments)
    for ours, theirs in zip(
        tf.nest.flatten(compiled), tf.nest.flatten(both(*arguments)), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_untrained_heads_say_nothing():
    network = make(tiny.VECTORS)
    root = network.initial_inference(*inputs(tiny.VECTORS, 2))
    np.testing.assert_array_equal(tf.nn.softmax(root.prior_logits), np.full([2, 4], 0.25))
    np.testing.assert_allclose(network.to_number(root.value), [0, 0], atol=1e-6)


@pytest.mark.parametrize("config", [tiny.VECTORS, tiny.BOARD])
def test_numbers_come_back_from_what_the_heads_are_compared_with(config: MuZeroConfig):
    network = make(config)
    numbers = tf.constant([-0.9, 0.0, 0.5])
    raw = network.to_raw(numbers)
    logits = tf.math.atanh(raw) if config.value_limit is None else tf.math.log(raw + 1e-9)
    np.testing.assert_allclose(network.to_number(logits), numbers, atol=1e-4)


def test_batch_normalisation_learns_from_training_batches_alone():
    config = dataclasses.replace(tiny.BOARD, normalisation="batch")
    network = make(config)
    arguments = inputs(config, 4)
    averages = [v for v in network.variables if not v.trainable and v.shape.rank > 1]
    before = [v.numpy() for v in averages]
    network.initial_inference(*arguments, is_training=False)
    assert all(np.all(v == old) for v, old in zip(averages, before, strict=True))
    network.initial_inference(*arguments, is_training=True)
    assert any(np.any(v != old) for v, old in zip(averages, before, strict=True))


PLANES = {
    "tiled": lambda a, y, x, plane: plane == a,
    "columns": lambda a, y, x, plane: x == a,
    "cells": lambda a, y, x, plane: 3 * y + x == a,
    "index": lambda a, y, x, plane: None,
}


@pytest.mark.parametrize("kind", ["tiled", "columns", "cells"])
def test_action_planes_mark_the_action(kind: str):
    num_actions = {"tiled": 5, "columns": 3, "cells": 7}[kind]  # cells: 2 × 3 and a pass.
    planes = action_planes(tf.range(num_actions), kind, num_actions, 2, 3).numpy()
    for (a, y, x, plane), value in np.ndenumerate(planes):
        assert value == PLANES[kind](a, y, x, plane), (a, y, x, plane)
    assert planes.shape == (num_actions, 2, 3, 5 if kind == "tiled" else 1)


def test_the_index_plane_holds_the_actions_share():
    planes = action_planes(tf.constant([0, 2]), "index", 4, 2, 3)
    np.testing.assert_array_equal(planes[1, ..., 0], np.full([2, 3], 0.5))
    assert not np.any(planes[0])
