"""The update fits what the paper says it fits, and nothing else."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from agents.averaging import averaging_share
from agents.builder import Role
from agents.muzero import losses
from agents.muzero.learning import MuZeroLearner
from agents.muzero.networks import MuZeroNetwork
from agents.muzero.trajectories import positions
from agents.types import Sample
from pipelines.benchmarks import lower
from tests.agents.muzero import tiny


def make(config) -> MuZeroLearner:
    builder = tiny.builder(config)
    return builder.make_learner(builder.make_networks(tiny.spec(config), seed=0), seed=0)


def sample(batch, probability=None) -> Sample:
    size = batch.reward.shape[0]
    probability = np.full(size, 0.01) if probability is None else probability
    return Sample(
        tf.cast(tf.range(size) + 100, tf.uint64),
        tf.constant(probability, tf.float64),
        tf.fill([size], tf.constant(1000, tf.int64)),
        batch,
    )


@pytest.mark.parametrize(
    "config",
    [
        tiny.VECTORS,
        tiny.BOARD,
        dataclasses.replace(tiny.ATARI, normalisation="layer"),
        dataclasses.replace(tiny.VECTORS, jit_compile=True),
        dataclasses.replace(tiny.VECTORS, consistency_scale=0.2, projection_size=16),
    ],
    ids=["vectors", "board", "atari", "compiled", "consistent"],
)
def test_it_overfits_one_batch(config):
    config = dataclasses.replace(config, learning_rate=1e-2, weight_decay=0.0)
    learner, batch = make(config), tiny.random_batch(config, size=4)
    first = learner.step(batch).metrics
    for _ in range(150):
        last = learner.step(batch).metrics
    entropy = -np.sum(
        batch.extras["search_policy"] * np.log(batch.extras["search_policy"]), axis=-1
    )
    scales = losses.step_weights(config.unroll_steps, config.loss_weights)
    window = slice(config.context, config.context + config.unroll_steps + 1)
    floor = np.mean(np.sum(scales * entropy[:, window], axis=1))
    gain = (first["loss/policy"] - last["loss/policy"]) / (first["loss/policy"] - floor)
    assert gain > 0.8, gain
    assert last["model/value_error"] < 0.25 * first["model/value_error"]
    assert last["loss/reward"] < first["loss/reward"]


def test_xla_is_given_one_step_of_the_model_however_many_there_are():
    sizes = []
    for steps in (2, 6):
        config = dataclasses.replace(tiny.VECTORS, normalisation="batch", unroll_steps=steps)
        learner, batch = make(config), tiny.random_batch(config)
        arguments = (lower.specs_of(batch), tf.TensorSpec([2], tf.int32))
        sizes.append(len(lower.lower(lower.Program("update", learner.update, arguments)).hlo))
    assert sizes[1] < 1.2 * sizes[0], sizes


def test_an_update_by_xla_is_the_plain_one():
    config = dataclasses.replace(
        tiny.VECTORS, normalisation="batch", optimizer="sgd", unroll_steps=2
    )
    plain, compiled = make(config), make(config)
    rng = np.random.RandomState(3)
    for mine, theirs in zip(
        compiled.network.trainable_variables, plain.network.trainable_variables, strict=True
    ):
        theirs.assign_add(0.1 * rng.normal(size=theirs.shape).astype(np.float32))
        mine.assign(theirs)
    compiled.compile()
    for _ in range(2):
        batch = tiny.random_batch(config)
        found, expected = compiled.step(batch).metrics, plain.step(batch).metrics
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
    for mine, theirs in zip(compiled.variables, plain.variables, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-5, err_msg=theirs.name)


def test_sgd_with_the_papers_settings_lowers_the_loss():
    config = dataclasses.replace(tiny.VECTORS, optimizer="sgd", learning_rate=0.05)
    learner, batch = make(config), tiny.random_batch(config)
    first = learner.step(batch).metrics
    for _ in range(50):
        last = learner.step(batch).metrics
    assert last["loss/total"] < first["loss/total"]


def test_what_is_unknown_changes_nothing():
    """Targets of weight 0 may be anything: the gradient is the same."""
    config = tiny.VECTORS
    batch = tiny.random_batch(config)
    mask = np.ones(batch.reward.shape, np.float32)
    mask[:, 2:] = 0
    extras = {**batch.extras, "policy_weight": mask, "value_weight": mask}
    other = {name: np.array(values) for name, values in extras.items()}
    other["search_policy"][:, 2:] = 0.25
    other["value_target"][:, 2:] = 0.77
    reward = np.array(batch.reward)
    reward[:, 2:] = -0.3
    learner = make(config)
    results = []
    for changed in (batch._replace(extras=extras), batch._replace(extras=other, reward=reward)):
        changed = tf.nest.map_structure(tf.constant, changed)
        data = positions(changed, config, tiny.NUM_ACTIONS, tf.constant([0, 0]))
        gradients, _ = learner.gradients(data, tf.ones([6]))
        results.append(gradients)
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert any(np.any(gradient) for gradient in results[0])


CONSISTENT = dataclasses.replace(tiny.VECTORS, consistency_scale=2.0, projection_size=16)


def test_consistency_is_one_minus_cosine_of_projections_where_a_position_was_reached():
    config, rng = CONSISTENT, np.random.RandomState(7)
    learner, batch = make(config), tiny.random_batch(config)
    for variable in learner.network.trainable_variables:
        variable.assign(rng.normal(size=variable.shape).astype(np.float32))
    data = positions(batch, config, tiny.NUM_ACTIONS, tf.constant([0, 0]))
    known = np.ones([6, config.unroll_steps + 1], np.float32)
    known[2, 1:] = 0  # The last position: the observation behind it is the last one there is.
    data = data._replace(policy_weights=tf.constant(known))
    predictions = learner.unroll(data)
    expected = np.zeros(6)
    for k in range(1, config.unroll_steps + 1):
        seen = learner.network.initial_inference(
            batch.observation[:, k : k + 1], tf.zeros([6, 1], tf.int32)
        ).latent
        cosine = learner.network.agreement(predictions[k].latent, seen)
        expected += (known[:, k - 1] > 0) * (1 - cosine.numpy()) / config.unroll_steps
    found = learner.consistency(data, predictions)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert np.all(found >= 0) and found[2] <= 2 / config.unroll_steps
    loss, metrics = learner.loss(data, tf.ones([6]))
    plain, _ = learner.loss(data._replace(later=None), tf.ones([6]))
    np.testing.assert_allclose(loss - plain, 2 * metrics["loss/consistency"], rtol=1e-3)


def test_what_was_seen_gets_no_gradient_of_the_agreement():
    network = make(CONSISTENT).network
    rng = np.random.RandomState(8)
    for variable in network.trainable_variables:
        variable.assign(rng.normal(size=variable.shape).astype(np.float32))
    arrived, seen = (tf.constant(rng.normal(size=[3, 8]), tf.float32) for _ in range(2))
    with tf.GradientTape() as tape:
        tape.watch([arrived, seen])
        cosine = network.agreement(arrived, seen)
    assert np.all(np.abs(cosine) <= 1 + 1e-6)
    of_arrived, of_seen = tape.gradient(cosine, [arrived, seen])
    assert np.any(of_arrived) and of_seen is None


def test_importance_weights_follow_the_formula():
    probability = np.array([0.5, 0.25, 0.125])
    size = tf.constant([8, 8, 8], tf.int64)
    weights = losses.importance_weights(tf.constant(probability), size, 0.5)
    expected = (8 * probability) ** -0.5
    np.testing.assert_allclose(weights, expected / expected.max(), rtol=1e-6)
    np.testing.assert_allclose(
        losses.importance_weights(tf.constant(probability), size, 0.0), np.ones(3)
    )


def test_a_rare_position_weighs_more_in_the_loss():
    config = tiny.VECTORS
    learner, batch = make(config), tiny.random_batch(config)
    data = positions(batch, config, tiny.NUM_ACTIONS, tf.constant([0, 0]))
    parts = [float(learner.loss(data, tf.one_hot(i, 6))[0]) for i in range(6)]
    weights = tf.constant(np.arange(6), tf.float32)
    np.testing.assert_allclose(
        learner.loss(data, weights)[0], np.dot(np.arange(6), parts), rtol=1e-5
    )


def test_priorities_are_the_value_errors():
    config = tiny.VECTORS
    learner, batch = make(config), tiny.random_batch(config)
    priorities = learner.step(sample(batch)).priorities
    # The untrained network says 0.
    target = batch.extras["value_target"][:, config.context]
    np.testing.assert_allclose(priorities, np.abs(target) + config.min_priority, atol=1e-5)
    assert learner.step(batch).priorities is None, "nothing is known of the table"


def test_gradients_are_scaled_and_values_are_not():
    x = tf.constant([2.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = losses.scale_gradient(x, 0.5)
    np.testing.assert_allclose(y, [2.0])
    np.testing.assert_allclose(tape.gradient(y, x), [0.5])


@pytest.mark.parametrize(("kind", "expected"), [("unrolled", 0.25), ("equal", 1.0)])
def test_the_weight_of_a_later_step(kind: str, expected: float):
    assert losses.step_weights(4, kind) == [1.0] + [expected] * 4


def test_weight_decay_shrinks_weights_and_spares_offsets():
    config = dataclasses.replace(
        tiny.VECTORS, policy_scale=0.0, value_scale=0.0, reward_scale=0.0, weight_decay=0.1
    )
    for optimizer in ("adam", "sgd"):
        learner = make(dataclasses.replace(config, optimizer=optimizer))
        variables = learner.network.trainable_variables
        for variable in variables:
            variable.assign(tf.ones_like(variable))
        learner.step(tiny.random_batch(config))
        for variable in variables:
            if variable.shape.rank > 1:
                expected = 1 - config.learning_rate * config.weight_decay
                np.testing.assert_allclose(variable, np.full(variable.shape, expected), rtol=1e-6)
            else:
                np.testing.assert_array_equal(variable, np.ones(variable.shape))


def test_the_acting_network_is_the_running_average_of_the_weights():
    config = dataclasses.replace(tiny.VECTORS, average_decay=0.25)
    learner = make(config)
    expected = [v.numpy() for v in learner.acting_network.trainable_variables]
    for update in range(1, 5):
        learner.step(tiny.random_batch(config, seed=update))
        share = 1 - min(0.25, (1 + update) / (10 + update))
        for i, variable in enumerate(learner.network.trainable_variables):
            expected[i] = expected[i] + share * (variable.numpy() - expected[i])
    for average, value in zip(learner.acting_network.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(average, value, atol=1e-6)
    assert learner.acting_network.training_step == learner.network.training_step == 4
    behind = zip(learner.network.variables, learner.acting_network.variables, strict=True)
    assert any(np.any(ours != average) for ours, average in behind)


def test_the_moments_of_batch_normalisation_are_averaged_too():
    config = dataclasses.replace(tiny.BOARD, normalisation="batch", average_decay=0.5)
    learner = make(config)
    moments = lambda network: [v for v in network.variables if "moving" in v.name]  # noqa: E731
    before = [v.numpy() for v in moments(learner.acting_network)]
    learner.step(tiny.random_batch(config))
    averages, latest = moments(learner.acting_network), moments(learner.network)
    floating = [i for i, v in enumerate(latest) if v.dtype.is_floating]
    assert any(np.any(latest[i] != before[i]) for i in floating)
    share = float(averaging_share(tf.constant(1), 0.5))
    for i in floating:
        expected = before[i] + share * (latest[i].numpy() - before[i])
        np.testing.assert_allclose(averages[i], expected, atol=1e-6)


def test_without_an_average_the_network_that_learns_is_the_one_that_acts():
    learner = make(tiny.VECTORS)
    assert learner.acting_network is learner.network


def test_policies_act_by_the_average():
    config = dataclasses.replace(tiny.VECTORS, average_decay=0.9)
    builder, spec = tiny.builder(config), tiny.spec(config)
    networks = builder.make_networks(spec, seed=0)
    policy = builder.make_policy(networks, spec, Role(evaluation=True))
    seen = tiny.batch_of(config, np.random.RandomState(0), 3)

    def value() -> np.ndarray:
        return policy.step(seen, policy.initial_state(3), tf.constant([0, 0]))[2]["search_value"]

    def shake(network: MuZeroNetwork) -> None:
        rng = np.random.RandomState(1)
        for variable in network.trainable_variables:
            variable.assign_add(rng.normal(size=variable.shape).astype(np.float32))

    before = value()
    shake(networks.online)
    np.testing.assert_array_equal(value(), before)
    shake(networks.acting)
    assert np.all(value() != before)
