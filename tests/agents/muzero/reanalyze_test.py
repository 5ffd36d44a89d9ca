"""Reanalyze replaces targets by those of fresh parameters, and only where it should."""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from agents.types import Sample
from tests.agents.muzero import tiny

CONFIG = dataclasses.replace(tiny.VECTORS, reanalyze_fraction=0.5, num_simulations=12)


def make(config):
    builder = tiny.builder(config)
    network = builder.make_networks(tiny.spec(config), seed=0)
    learner = builder.make_learner(network, seed=0)
    return learner, builder.make_transform(network, seed=0)


UPDATE = tf.constant(7, tf.int64)


def perturb(network, seed: int) -> None:
    rng = np.random.RandomState(seed)
    for variable in network.trainable_variables:
        variable.assign_add(0.5 * rng.normal(size=variable.shape).astype(np.float32))


def test_without_a_share_there_is_no_stage():
    _, transform = make(tiny.VECTORS)
    assert transform is None


def test_only_the_share_of_positions_changes():
    learner, transform = make(CONFIG)
    perturb(learner.network, 1)
    learner.network.training_step.assign(40)
    transform.refresh()
    batch = tiny.random_batch(CONFIG)
    after = transform(batch, UPDATE)
    for name in ("search_policy", "value_target", "searched_at"):
        old, new = batch.extras[name].numpy(), after.extras[name].numpy()
        assert np.all(np.any(np.reshape(old[:3] != new[:3], [3, -1]), axis=1)), name
        np.testing.assert_array_equal(old[3:], new[3:])
    np.testing.assert_array_equal(after.extras["searched_at"][:3], np.full([3, CONFIG.length], 40))
    np.testing.assert_array_equal(after.observation, batch.observation)
    tf.nest.assert_same_structure(batch, after)


def test_a_sample_keeps_its_keys():
    _, transform = make(CONFIG)
    batch = tiny.random_batch(CONFIG)
    keys = tf.cast(tf.range(6), tf.uint64)
    sample = Sample(keys, tf.ones([6], tf.float64), tf.ones([6], tf.int64), batch)
    np.testing.assert_array_equal(transform(sample, UPDATE).key, keys)


def test_policies_move_towards_what_fresh_parameters_prefer():
    """With a prior that knows its mind, the search's visits go there."""
    learner, transform = make(CONFIG)
    batch = tiny.random_batch(CONFIG)
    before = transform(batch, UPDATE).extras["search_policy"].numpy()
    bias = next(v for v in learner.network.trainable_variables if v.shape == [tiny.NUM_ACTIONS])
    bias.assign([0.0, 0.0, 4.0, 0.0])
    transform.refresh()
    after = transform(batch, UPDATE).extras["search_policy"].numpy()
    assert np.all(after[:3, :4, 2] > before[:3, :4, 2])
    assert np.mean(after[:3, :4, 2]) > 0.6


def test_values_are_n_step_returns_with_the_target_networks_bootstrap():
    config = dataclasses.replace(CONFIG, reanalyze_fraction=1.0)
    _, transform = make(config)
    perturb(transform.network, 3)
    batch = tiny.random_batch(config)
    values = transform(batch, UPDATE).extras["value_target"].numpy()
    network = transform.network

    def value(observation):
        root = network.initial_inference(observation[:, None], tf.zeros([6, 1], tf.int32))
        return network.to_number(root.value).numpy()

    reward, gamma = batch.reward.numpy(), config.discount
    for k in range(config.unroll_steps + 1):
        expected = reward[:, k] + gamma * reward[:, k + 1]
        expected += gamma**2 * value(batch.observation[:, k + 2])
        np.testing.assert_allclose(values[:, k], expected, rtol=1e-4, atol=1e-4)


def test_an_episodes_end_stops_the_return_and_a_time_limit_bootstraps():
    config = dataclasses.replace(CONFIG, reanalyze_fraction=1.0)
    _, transform = make(config)
    perturb(transform.network, 3)
    batch = tiny.random_batch(config)
    # Row 2 is the last observation: of an episode that is over (0) and one that was cut (1).
    weights, known = np.ones([6, config.length]), np.ones([6, config.length])
    discount, reward = np.array(batch.discount), np.array(batch.reward)
    weights[:2, 2:] = reward[:2, 2:] = discount[:2, 2:] = 0
    known[1, 2:] = 0
    discount[0, 1] = 0
    extras = {
        **batch.extras,
        "policy_weight": tf.constant(weights, tf.float32),
        "value_weight": tf.constant(known, tf.float32),
    }
    batch = batch._replace(
        extras=extras, reward=tf.constant(reward), discount=tf.constant(discount)
    )
    values = transform(batch, UPDATE).extras["value_target"].numpy()
    gamma, network = config.discount, transform.network
    root = network.initial_inference(batch.observation[1:2, 2:3], tf.zeros([1, 1], tf.int32))
    bootstrap = float(network.to_number(root.value)[0])
    np.testing.assert_allclose(
        values[0, :4], [reward[0, 0] + gamma * reward[0, 1], reward[0, 1], 0, 0], atol=1e-5
    )
    expected = [
        reward[1, 0] + gamma * reward[1, 1] + gamma**2 * bootstrap,
        reward[1, 1] + gamma * bootstrap,
    ]
    np.testing.assert_allclose(values[1, :2], expected, rtol=1e-4)


def test_it_reads_a_copy_that_learning_does_not_touch_until_it_is_renewed():
    config = dataclasses.replace(CONFIG, target_period=3)
    learner, transform = make(config)
    assert transform.period == 3
    batch = tiny.random_batch(config)
    before = transform(batch, UPDATE).extras
    for _ in range(2):
        learner.step(batch)
    unchanged = transform(batch, UPDATE).extras
    transform.refresh()
    after = transform(batch, UPDATE).extras
    for name in ("search_policy", "value_target", "searched_at"):
        np.testing.assert_array_equal(before[name], unchanged[name], err_msg=name)
    assert np.any(after["value_target"] != before["value_target"])
    assert after["searched_at"][0, 0] == 2
    pairs = zip(transform.network.variables, learner.network.variables, strict=True)
    assert all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def test_the_number_of_the_update_and_the_seed_decide_the_search():
    # Not a multiple of the four actions: which ones have a visit more, the noise decides.
    _, transform = make(dataclasses.replace(CONFIG, num_simulations=10))
    batch = tiny.random_batch(CONFIG)
    first, again, *others = (
        transform(batch, tf.constant(update, tf.int64)).extras["search_policy"].numpy()
        for update in (5, 5, 6, 7, 8, 9)
    )
    np.testing.assert_array_equal(first, again)
    assert any(np.any(first != other) for other in others)


def test_boards_keep_their_outcomes():
    config = dataclasses.replace(tiny.BOARD, reanalyze_fraction=1.0)
    learner, transform = make(config)
    perturb(learner.network, 1)
    transform.refresh()
    batch = tiny.random_batch(config)
    after = transform(batch, UPDATE)
    np.testing.assert_array_equal(after.extras["value_target"], batch.extras["value_target"])
    legal = batch.observation["legal_actions"].numpy()
    assert not np.any(after.extras["search_policy"].numpy()[~legal])


def test_values_alone_are_made_anew_without_a_search():
    share = {"reanalyze_fraction": 0.0, "value_refresh_fraction": 0.5}
    _, transform = make(dataclasses.replace(CONFIG, **share))
    _, searching = make(CONFIG)
    perturb(transform.network, 3)
    perturb(searching.network, 3)
    batch = tiny.random_batch(CONFIG)
    after, searched = transform(batch, UPDATE), searching(batch, UPDATE)
    for name in batch.extras:
        expected = (searched if name == "value_target" else batch).extras[name]
        np.testing.assert_array_equal(after.extras[name], expected)
    assert np.any(after.extras["value_target"] != batch.extras["value_target"])
