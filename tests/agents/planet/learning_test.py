from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.builder import Role
from agents.planet.learning import align
from agents.planet.networks import preprocess
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
    np.testing.assert_array_equal(sequences.known, [[True, True, True]])


def padded(seed: int, length: int = 6, rows: int = 4):
    """A batch whose second sequence is an episode of 3 steps, padded."""
    batch = tiny.batch(seed, length=length)
    keep = np.ones([3, length], bool)
    keep[1, rows:] = False
    zeroed = lambda values: tf.where(  # noqa: E731
        keep.reshape([3, length] + [1] * (len(values.shape) - 2)), values, tf.zeros_like(values)
    )
    start = batch.start_of_episode.numpy()
    start[1, rows:] = True
    batch = tf.nest.map_structure(zeroed, batch)
    return batch._replace(start_of_episode=tf.constant(start))


def test_align_knows_the_padding():
    sequences = align(padded(seed=0))
    expected = np.ones([3, 6], bool)
    expected[1, 4:] = False
    np.testing.assert_array_equal(sequences.known, expected)
    expected[:, 0] = False
    np.testing.assert_array_equal(sequences.reward_known, expected)
    # A chunk from within an episode and one from its start are whole.
    start = tf.constant([[True, False], [False, False]])
    batch = tiny.batch(0, batch_size=2, length=2)._replace(start_of_episode=start)
    np.testing.assert_array_equal(align(batch).known, np.ones([2, 2], bool))


def gradients_of(learner, networks, sequences):
    with tf.GradientTape() as tape:
        loss, metrics, last = learner.loss(sequences, tf.constant([1, 0]), learner.start())
    return loss, metrics, last, tape.gradient(loss, networks.trainable_variables)


def test_padding_is_not_learned_from():
    learner, networks = learner_and_networks(seed=1, **FULL)
    sequences = align(padded(seed=4))
    loss, metrics, last, gradients = gradients_of(learner, networks, sequences)
    assert all(np.isfinite(value) for value in (loss, *metrics.values()))
    assert any(np.any(gradient) for gradient in gradients)

    rng = np.random.RandomState(5)
    garbage = lambda values, noise: tf.where(  # noqa: E731
        tf.reshape(sequences.known, [3, 6] + [1] * (len(values.shape) - 2)), values, noise
    )
    other = sequences._replace(
        pixels=garbage(sequences.pixels, tiny.pixels(rng, 3, 6)),
        previous_action=garbage(sequences.previous_action, rng.normal(size=[3, 6, 2])),
        reward=garbage(sequences.reward, 9.0),
    )
    assert np.any(other.pixels != sequences.pixels) and np.any(other.reward != sequences.reward)
    changed = gradients_of(learner, networks, other)
    np.testing.assert_allclose(changed[0], loss, rtol=1e-6)
    for name, value in metrics.items():
        np.testing.assert_allclose(changed[1][name], value, rtol=1e-5, err_msg=name)
    for ours, theirs in zip(last, changed[2], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    for ours, theirs in zip(gradients, changed[3], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_padded_sequence_counts_by_its_own_steps():
    """As much as each step of the others: the mean is one over all steps that there are."""
    learner, networks = learner_and_networks(seed=1, free_nats=0.0, dequantisation_noise=False)
    pixels = preprocess(padded(seed=4).observation).numpy()
    for variable in networks.online.decoder.trainable_variables:  # It answers 0 everywhere.
        variable.assign(tf.zeros_like(variable))
    _, metrics, _ = learner.loss(align(padded(seed=4)), tf.constant([1, 0]), learner.start())
    errors = (0.5 * np.square(pixels) + 0.5 * np.log(2 * np.pi)).sum(axis=(2, 3, 4))  # [B, T]
    steps = np.concatenate([errors[0], errors[1, :4], errors[2]])
    np.testing.assert_allclose(metrics["loss/image"], steps.mean(), rtol=1e-5)


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


def test_who_acts_has_the_average_of_the_weights():
    learner, networks = learner_and_networks(seed=1, average_decay=0.25)
    expected = weights(networks.online)
    assert_same_weights(networks.acting, expected)
    for update in range(1, 5):
        learner.step(tiny.batch(seed=update))
        share = 1 - min(0.25, (1 + update) / (10 + update))
        latest = zip(expected, weights(networks.online), strict=True)
        expected = [average + share * (new - average) for average, new in latest]
    for mine, other in zip(weights(networks.acting), expected, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-6)
    builder, _ = tiny.builder_and_networks(average_decay=0.25)
    pixels = tf.constant(tiny.pixels(np.random.RandomState(0), 2))
    values = []
    for changed in (None, networks.online, networks.acting):
        for variable in () if changed is None else changed.trainable_variables:
            variable.assign_add(tf.ones_like(variable))
        policy = builder.make_policy(networks, tiny.SPEC, Role(evaluation=True))
        _, state, _ = policy.step(pixels, policy.initial_state(2), tf.constant([0, 0]))
        values.append(state["deterministic"].numpy())
    np.testing.assert_array_equal(values[0], values[1])
    assert np.any(values[1] != values[2])


def test_without_an_average_who_learns_acts():
    networks = tiny.builder_and_networks()[1]
    assert networks.acting is networks.online


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
