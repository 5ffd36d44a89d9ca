"""Protects the learner: what it reads, whom it teaches what, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.pets.learning import PETSLearner, newest_episode, transitions
from agents.pets.networks import DynamicsModel
from tests.agents.pets.tiny import rows, tiny


def make(seed: int = 0, **changes):
    tf.random.set_seed(seed)
    config = tiny(**changes)
    model = DynamicsModel(config, observation_size=4, action_size=1)
    return PETSLearner(config, model, seed), model


def test_transitions_do_not_cross_episodes():
    batch = rows([3, 2])
    data = transitions(batch)
    assert data.observation.shape == (5, 4)
    observation = batch.observation.numpy()
    np.testing.assert_array_equal(data.observation, observation[[0, 1, 2, 4, 5]])
    np.testing.assert_array_equal(data.following, observation[[1, 2, 3, 5, 6]])
    np.testing.assert_array_equal(data.action, batch.action.numpy()[[0, 1, 2, 4, 5]])
    np.testing.assert_array_equal(data.reward, batch.reward.numpy()[[0, 1, 2, 4, 5]])


def test_the_newest_episode_is_the_last_one():
    np.testing.assert_array_equal(
        newest_episode(rows([3, 2])).observation, rows([3, 2]).observation[4:]
    )


@pytest.mark.parametrize("probabilistic", [True, False])
def test_epochs_lower_the_loss_and_predict_what_comes(probabilistic: bool):
    learner, model = make(task="differences", probabilistic=probabilistic, learning_rate=1e-2)
    batch = rows([60, 60])
    metrics = [learner.step(batch).metrics for _ in range(40)]
    assert metrics[-1]["loss/total"] < metrics[0]["loss/total"]
    # Before it saw more of the same; it goes up and down from one measurement to the next.
    assert min(float(found["calibration/error"]) for found in metrics[20:40:5]) < 0.2
    data = transitions(rows([50], seed=9))
    copies = lambda x: tf.repeat(x[None], 3, axis=0)  # noqa: E731
    predicted = model.predict(copies(data.observation), copies(data.action)).mean()
    following, reward = model.advance(copies(data.observation), None, predicted)
    assert np.abs(following - data.following).mean() < 0.1
    assert np.abs(reward - data.reward).mean() < 0.2, "the reward is learned where it is unknown"


def test_each_network_has_a_resample_of_its_own_that_lasts_for_a_trial():
    learner, _ = make(epochs=5)
    learned = tf.range(10, 40)
    trial = [0, 0]
    first, second = (learner._resample(learned, trial, [0, n]).numpy() for n in (0, 1))
    assert first.shape == (3, 30) and first.min() >= 10 and first.max() < 40
    assert np.any(first != second), "each epoch has its own order"
    np.testing.assert_array_equal(np.sort(first, axis=1), np.sort(second, axis=1))
    assert np.any(np.sort(first[0]) != np.sort(first[1]))
    assert len(set(first[0])) < 30, "drawn with replacement"
    other = learner._resample(learned, [0, 1], [0, 5]).numpy()
    assert np.any(np.sort(other, axis=1) != np.sort(first, axis=1))


def test_without_bootstrap_every_network_sees_everything_once():
    learner, _ = make(bootstrap=False)
    drawn = learner._resample(tf.range(7), [0, 0], [0, 0]).numpy()
    np.testing.assert_array_equal(np.sort(drawn, axis=1), np.tile(np.arange(7), [3, 1]))


def test_held_out_transitions_are_not_learned_from():
    learner, _ = make(holdout_share=0.25)
    learned, held_out = (x.numpy() for x in learner._split(tf.constant(40), tf.constant([0, 3])))
    assert len(held_out) == 10
    assert sorted([*learned, *held_out]) == list(range(40))


def test_a_trial_ends_when_held_out_data_get_no_better_and_keeps_its_best_weights():
    learner, model = make(holdout_share=0.3, patience=1, epochs=30, learning_rate=0.5)
    batch = rows([20])
    losses = []
    for _ in range(30):
        losses.append(float(learner.step(batch).metrics["loss/held_out"]))
        if bool(learner._stopping.stopped):
            break
    assert len(losses) < 30, "steps this large do not get better for long"
    best = [variable.numpy() for variable in model.trainable_variables]
    learner.step(batch)
    for before, after in zip(best, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, after)
    while int(learner.updates) < 31:
        learner.step(batch)
    assert any(
        np.any(before != after.numpy())
        for before, after in zip(best, model.trainable_variables, strict=True)
    ), "the next trial learns again"


def test_inputs_are_normalised_by_what_is_learned_from():
    learner, model = make()
    batch = rows([40])
    learner.step(batch)
    data = transitions(batch)
    inputs = model.inputs(data.observation, data.action).numpy()
    np.testing.assert_allclose(model.ensemble.input_mean, inputs.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(model.ensemble.input_stddev, inputs.std(axis=0), rtol=1e-4)


def test_equal_seeds_give_equal_weights_and_a_restored_learner_goes_on_equally(tmp_path):
    batch = rows([20, 20])
    learner, model = make(seed=1)
    for _ in range(3):
        learner.step(batch)
    path = tf.train.Checkpoint(learner=learner).write(str(tmp_path / "learner"))
    learner.step(batch)
    resumed, resumed_model = make(seed=1)
    tf.train.Checkpoint(learner=resumed).read(path).assert_consumed()
    resumed.step(batch)
    for ours, theirs in zip(model.variables, resumed_model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_new_episode_is_judged_before_it_is_learned():
    learner, _ = make(epochs=2)
    batch = rows([10])
    judged = [learner.step(batch).metrics["calibration/coverage_90"].shape[0] > 0 for _ in range(5)]
    assert judged == [False, False, True, False, True]


def test_the_flop_of_an_epoch_are_counted_over_all_batches():
    learner, _ = make()
    # cart-pole: 5 features and an action, 16, 16, 4 means and 4 variances; 3 networks, 40 steps.
    layers = 6 * 16, 16 * 16, 16 * 8
    assert learner.flop(rows([40])) == 2 * 3 * 40 * (3 * sum(layers) - layers[0])
