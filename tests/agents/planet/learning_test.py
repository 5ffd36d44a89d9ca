from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.planet.learning import align
from tests.agents.planet import tiny

# Every switch that draws or adds something is on.
FULL = {
    "overshooting_distance": 3,
    "free_nats": 0.5,
    "dequantisation_noise": True,
    "initial_belief": "foreign",
}


def learner_and_networks(seed: int, network_seed: int = 0, **overrides):
    builder, networks = tiny.builder_and_networks(network_seed, **overrides)
    return builder.make_learner(networks, seed), networks


def weights(networks) -> list[np.ndarray]:
    return [variable.numpy() for variable in networks.variables]


def assert_same_weights(networks, expected: list[np.ndarray]) -> None:
    for mine, other in zip(weights(networks), expected, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_align_puts_actions_and_rewards_where_they_led_to():
    batch = tiny.batch(seed=0, batch_size=1, length=3)._replace(
        action=tf.constant([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]),
        reward=tf.constant([[10.0, 20.0, 30.0]]),
    )
    sequences = align(batch)
    np.testing.assert_array_equal(sequences.pixels, batch.observation)
    np.testing.assert_array_equal(sequences.previous_action, [[[0, 0], [1, 2], [3, 4]]])
    np.testing.assert_array_equal(sequences.reward, [[0, 10, 20]])
    np.testing.assert_array_equal(sequences.reward_known, [[False, True, True]])


def test_the_loss_is_the_sum_of_its_weighted_parts():
    scales = {"kl_scale": 2.0, "overshooting_scale": 0.5, "reward_scale": 3.0, "image_scale": 4.0}
    learner, _ = learner_and_networks(seed=1, **FULL, **scales)
    sequences, start = align(tiny.batch(seed=2)), learner.start()
    loss, parts, _ = learner.loss(sequences, tf.constant([1, 0]), start)
    plain, _ = learner_and_networks(seed=1, **{**FULL, "overshooting_distance": 1}, **scales)
    plain_loss, plain_parts, _ = plain.loss(sequences, tf.constant([1, 0]), start)
    shared = {"loss/image", "loss/reward", "loss/divergence"}
    for name in shared:
        np.testing.assert_allclose(parts[name], plain_parts[name], rtol=1e-5)
    expected = 4.0 * plain_parts["loss/image"] + 3.0 * plain_parts["loss/reward"]
    expected += 2.0 * plain_parts["loss/divergence"]
    np.testing.assert_allclose(plain_loss, expected, rtol=1e-5)
    assert not np.isclose(loss, plain_loss, rtol=1e-5)


def train(learner, updates) -> None:
    for i in updates:
        metrics = learner.step(tiny.batch(seed=i, length=4)).metrics
        assert all(np.isfinite(value) for value in metrics.values()), metrics


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Three updates, a checkpoint after the second, the weights after the last two."""
    learner, networks = learner_and_networks(seed=1, **FULL)
    train(learner, [0, 1])
    directory = tmp_path_factory.mktemp("checkpoint")
    path = tf.train.Checkpoint(learner=learner).write(str(directory / "checkpoint"))
    after_two = weights(networks)
    train(learner, [2])
    return path, after_two, weights(networks)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_seed_decides_the_weights(unbroken, seed: int):
    learner, networks = learner_and_networks(seed, **FULL)
    train(learner, [0, 1])
    assert int(learner.updates) == 2
    pairs = zip(weights(networks), unbroken[1], strict=True)
    assert all(np.array_equal(mine, other) for mine, other in pairs) == (seed == 1)


def test_a_restored_learner_goes_on_as_the_unbroken_one(unbroken):
    path, after_two, after_three = unbroken
    learner, networks = learner_and_networks(seed=1, network_seed=5, **FULL)
    tf.train.Checkpoint(learner=learner).read(path).assert_consumed()
    assert int(learner.updates) == 2
    assert_same_weights(networks, after_two)
    train(learner, [2])
    assert int(learner.updates) == 3
    assert_same_weights(networks, after_three)


def test_variables_come_out_as_acmes_variable_source_gives_them():
    learner, networks = learner_and_networks(seed=1)
    (values,) = learner.get_variables()
    for mine, other in zip(values, weights(networks), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_foreign_beliefs_are_what_the_batch_before_ended_with():
    learner, _ = learner_and_networks(seed=3, initial_belief="foreign", free_nats=0.0)
    sequences, seed = align(tiny.batch(seed=3)), tf.constant([3, 0])
    assert all(np.all(values == 0) for values in learner.start())
    _, _, last = learner.loss(sequences, seed, learner.start())
    learner.step(tiny.batch(seed=3))
    start = learner.start()
    for values, ended in zip(start[:2], last[:2], strict=True):
        np.testing.assert_array_equal(values[::2], np.zeros_like(values[::2]))
        np.testing.assert_allclose(values[1], ended[1], rtol=1e-5)
    _, parts, _ = learner.loss(sequences, seed, start)
    _, from_zeros, _ = learner.loss(sequences, seed, learner.start()._replace(**zeros(start)))
    assert not np.isclose(parts["loss/divergence"], from_zeros["loss/divergence"], rtol=1e-4)


def test_without_the_switch_every_sequence_starts_from_zeros():
    learner, _ = learner_and_networks(seed=3)
    learner.step(tiny.batch(seed=3))
    assert all(np.all(values == 0) for values in learner.start())


def zeros(state) -> dict[str, tf.Tensor]:
    return {name: tf.zeros_like(values) for name, values in state._asdict().items()}
