"""The update fits policies and outcomes, and its items are whole games'."""

from __future__ import annotations

import dataclasses

import dm_env
import numpy as np
import pytest
import tensorflow as tf

from agents.alphazero import AlphaZeroBuilder, learning
from agents.types import Trajectory
from pipelines.environments import rules_game
from pipelines.replay.server import Replay
from tests.agents.alphazero import tiny
from tests.agents.alphazero.tiny import batch_of


def make(**changes) -> learning.AlphaZeroLearner:
    builder = AlphaZeroBuilder(dataclasses.replace(tiny.CONFIG, **changes))
    return builder.make_learner(builder.make_networks(tiny.spec(), seed=0), seed=0)


def test_the_loss_is_the_papers():
    learner, batch = make(value_scale=0.5), batch_of(5)
    rng = np.random.RandomState(1)
    for variable in learner.network.trainable_variables:
        variable.assign_add(0.3 * rng.normal(size=variable.shape).astype(np.float32))
    data = learner.positions(batch, tf.constant([0, 0]))
    loss, metrics = learner.loss(data)
    prediction = learner.network(data.planes)
    expected = []
    for i in range(5):
        legal = data.legal[i].numpy()
        logits = np.float64(prediction.prior_logits[i].numpy()[legal])
        p = np.exp(logits) / np.exp(logits).sum()
        cross = -np.sum(data.policy_targets[i].numpy()[legal] * np.log(p))
        error = float(data.value_targets[i] - prediction.value[i])
        expected.append((cross, error**2))
    policy, value = np.mean(expected, axis=0)
    np.testing.assert_allclose(metrics["loss/policy"], policy, rtol=1e-4)
    np.testing.assert_allclose(metrics["loss/value"], value, rtol=1e-4)
    np.testing.assert_allclose(loss, policy + 0.5 * value, rtol=1e-4)


@pytest.mark.parametrize("changes", [{}, {"jit_compile": True}, {"normalisation": "batch"}])
def test_it_overfits_one_batch(changes):
    learner, batch = make(learning_rate=1e-2, weight_decay=0.0, **changes), batch_of(6)
    first = learner.step(batch).metrics
    for _ in range(150):
        last = learner.step(batch).metrics
    floor = last["search/policy_entropy"]
    assert last["loss/policy"] - floor < 0.2 * (first["loss/policy"] - floor)
    assert last["loss/value"] < 0.1 * first["loss/value"]
    assert last["replay/target_age"] == 151


def test_illegal_actions_have_no_part_in_the_loss():
    learner, batch = make(), batch_of(6)
    data = learner.positions(batch, tf.constant([0, 0]))
    logits = tf.constant(np.random.RandomState(0).normal(size=(6, 9)), tf.float32)
    other = tf.where(data.legal, logits, 50.0)
    np.testing.assert_allclose(
        learning.policy_loss(data, logits), learning.policy_loss(data, other), rtol=1e-6
    )


def test_a_games_items_are_its_positions_with_the_outcome_as_each_mover_sees_it():
    builder = AlphaZeroBuilder(tiny.CONFIG)
    environment = rules_game(seed=0, game="tic_tac_toe")
    replay = Replay(builder.make_tables(tiny.spec()))
    try:
        adder = builder.make_adder(replay.client)
        timesteps, rng = [environment.reset()], np.random.RandomState(0)
        adder.add_first(timesteps[0])
        policies = rng.dirichlet(np.ones(9), 7).astype(np.float32)
        for t, action in enumerate((0, 3, 1, 4, 8, 5)):  # The second player fills a row.
            timesteps.append(environment.step(action))
            recorded = {
                "search_policy": policies[t],
                "search_value": np.float32(0.1),
                "searched_at": np.int32(t),
            }
            adder.add(np.int32(action), timesteps[-1], recorded)
        assert timesteps[-1].last() and replay.size("positions") == 6
        items = {}
        while len(items) < 6:
            for sample in replay.client.sample_items("positions", 20):
                item = Trajectory(*sample.data)
                items[int(item.extras["searched_at"][0])] = item
    finally:
        replay.close()
    for t, item in items.items():
        # The first player loses; it moves at t = 0, 2, 4.
        assert item.extras["value_target"] == (-1 if t % 2 == 0 else 1)
        np.testing.assert_array_equal(item.extras["search_policy"][0], policies[t])
        np.testing.assert_array_equal(
            item.observation["state"][0], timesteps[t].observation["state"]
        )


def test_a_game_that_is_given_up_is_lost_by_who_gave_it_up():
    environment = rules_game(seed=0, game="tic_tac_toe", resignation=True)
    environment.reset()
    environment.step(4)
    timestep = environment.step(9)
    assert timestep.step_type == dm_env.StepType.LAST
    assert (timestep.reward, timestep.discount) == (-1, 0)
    assert not np.any(timestep.observation["legal_actions"])


def test_games_that_were_given_up_and_not_lost_are_counted():
    gave_up = tf.constant([True, True, False, True, True])
    outcomes = tf.constant([-1.0, 1.0, 1.0, 0.0, -1.0])
    found = learning.falsely_given_up(gave_up, outcomes)
    np.testing.assert_allclose(found["resignation/false_share"], [0.5])
    none = learning.falsely_given_up(tf.zeros_like(gave_up), outcomes)
    assert none["resignation/false_share"].shape == [0]
