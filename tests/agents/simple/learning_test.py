"""Protects both learners: what counts, what is seen along an unroll, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.actor_critic.losses import rows_of
from agents.frame_stacking import push
from agents.rollouts import final_rows
from agents.simple import learning, losses
from agents.simple.learning import ImaginedPPOLearner, ModelLearner
from agents.unrolling import loop
from agents.world import World, WorldStep
from tests.agents.simple import tiny

SEED = tf.constant([3, 0])
# The model is told all it needs: what it predicts then is a function of what it sees.
SURE = {"bits_used": 1.0, "bits_warmup": 1, "bit_flips": 0.0, "bits_predicted": 0.0}


def learner_of(**changes) -> ModelLearner:
    made = tiny.builder(**changes)
    return made.make_stages()[0].make_learner(tiny.networks_of(made), seed=1)


@pytest.mark.parametrize("changes", [{}, {"model": "deterministic"}, {"predict_ends": True}])
def test_rows_behind_an_episodes_end_change_nothing(rng, changes):
    learner = learner_of(**changes)
    batch = tiny.sequences(rng)
    starts = batch.start_of_episode.numpy()
    starts[1, 3:] = True  # The second of its three steps was the episode's last.
    starts[2, 2:] = True  # Its first row is all there is.
    batch = batch._replace(start_of_episode=tf.constant(starts))
    final = final_rows(batch).numpy()
    filled = lambda x, value: tf.constant(np.where(final, value, x), x.dtype)  # noqa: E731
    seen = batch.observation.numpy()
    seen[starts] = tiny.frames(rng, int(starts.sum()))
    other = batch._replace(
        observation=tf.constant(seen),
        action=filled(batch.action, 2),
        reward=filled(batch.reward, 1.0),
        discount=filled(batch.discount, 0.0),
    )
    one, two = (learner.loss(each, SEED)[1] for each in (batch, other))
    assert ("loss/latent" in one) == (changes.get("model") != "deterministic")
    assert ("loss/end" in one) == bool(changes.get("predict_ends"))
    for name, value in one.items():
        np.testing.assert_allclose(value, two[name], rtol=1e-4, err_msg=name)


def test_the_loss_is_the_mean_of_single_predictions_from_real_frames(rng):
    learner = learner_of(sampled_frames=0.0, model="deterministic", unroll_steps=2)
    batch = tiny.sequences(rng, unroll=2)
    model, expected = learner.networks.model, []
    for row in (1, 2):
        stack = np.concatenate([batch.observation[:, row - 1], batch.observation[:, row]], axis=-1)
        action = batch.action[:, row]
        prediction = model.predict(model.see(tf.constant(stack), action), action, None)
        classes = losses.pixel_classes(batch.observation[:, row + 1], 4)
        expected.append(losses.clipped_cross_entropy(prediction.pixels, classes, 0.03))
    _, found = learner.loss(batch, SEED)
    np.testing.assert_allclose(found["loss/image"], np.mean(expected), rtol=1e-4)


def test_a_loop_learns_what_copies_learn(rng, monkeypatch):
    """XLA takes the loop: six copies of the paper's model are a program of 54 MB."""
    batch, updated = tiny.sequences(rng, unroll=2), []
    for way in (learning.unroll, loop):
        monkeypatch.setattr(learning, "unroll", way)
        tf.random.set_seed(5)
        learner = learner_of(unroll_steps=2, sampled_frames=0.5, sampled_frames_warmup=1)
        metrics = tf.function(lambda: learner.update(batch, SEED).metrics)()  # noqa: B023
        updated.append((metrics, learner.networks.trainable_variables))
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *updated)


def test_behind_the_warm_up_the_model_sees_its_own_frames(rng):
    settings = {"sampled_frames": 1.0, "sampled_frames_warmup": 10, "model": "deterministic"}
    learner = learner_of(**settings)
    batch = tiny.sequences(rng)
    seen = batch.observation.numpy()
    seen[:, 2] = tiny.frames(rng, 4)  # The first frame that is predicted.
    other = batch._replace(observation=tf.constant(seen))
    second = slice(2, 3)  # Judged by the step from there on alone.

    def loss(each, updates: int) -> float:
        starts = np.zeros(each.start_of_episode.shape, bool)
        starts[:, 1:] = True
        starts[:, 1 + second.start] = False
        each = each._replace(start_of_episode=tf.constant(starts))
        return float(learner.loss(each, tf.constant([3, updates]))[1]["loss/image"])

    assert loss(batch, 0) != loss(other, 0)
    assert loss(batch, 10) == loss(other, 10)


def test_what_the_frame_lacks_teaches_the_inference_network_through_the_bits(rng):
    batch = tiny.sequences(rng, unroll=1)
    for used in (1.0, 0.0):
        learner = learner_of(unroll_steps=1, **{**SURE, "bits_used": used})
        learner.updates.assign(1)  # Behind the warm-up.
        inferring = [
            variable
            for variable in learner.networks.model.latents.trainable_variables
            if "numbers" in variable.name or "down" in variable.name
        ]
        with tf.GradientTape() as tape:
            loss = learner.loss(batch, SEED)[1]["loss/image"]
        gradients = tape.gradient(
            loss, inferring, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        assert len(inferring) >= 4
        assert all(np.any(gradient != 0) == (used > 0) for gradient in gradients[-2:])


class Rewarding(World):
    """Frames by chance; the last action is rewarded."""

    action_spec = tf.TensorSpec([], tf.int32)

    def reset(self, observation):
        raise AssertionError("imagination begins in mid-episode")

    def seen(self, state, observation):
        return {"frames": push(state["frames"], observation)}

    def step(self, state, action, seed):
        size = tf.shape(action)
        frame = tf.random.stateless_uniform([size[0], *tiny.FRAME], seed, 0, 256, tf.int32)
        frame = tf.cast(frame, tf.uint8)
        reward = tf.cast(tf.equal(action, tiny.NUM_ACTIONS - 1), tf.float32)
        return WorldStep(frame, reward, tf.ones(size), self.seen(state, frame))


def test_ppo_learns_from_imagined_rewards_of_its_own_policy(rng):
    made = tiny.builder(policy={"learning_rate": 0.02, "minibatches": 1, "discount": 0.0})
    networks = made.make_networks(tiny.SPEC, seed=0)
    learner = ImaginedPPOLearner(made.policy, 2, networks.policy, Rewarding(), seed=1)
    batch = tiny.sequences(rng, batch=8)
    imagined = learner.imagine(batch, SEED)
    policy = networks.policy.acting(imagined.observation[:, :-1])
    np.testing.assert_allclose(
        imagined.extras["log_prob"], policy.log_prob(imagined.action), rtol=1e-3, atol=1e-4
    )
    rewards = [float(learner.step(batch).metrics["imagination/reward"]) for _ in range(60)]
    assert rewards[0] < 0.6 and np.mean(rewards[-5:]) > 0.9, rewards


def test_advantages_know_no_reward_from_behind_an_imagined_end(rng):
    """All that follows an end has weight 0, and nothing of it reaches what came before."""
    made = tiny.builder(predict_ends=True)
    networks = tiny.networks_of(made)
    learner = made.make_stages()[1].make_learner(networks, seed=1)
    imagined = learner.imagine(tiny.sequences(rng), SEED)
    ended = np.cumsum(imagined.discount == 0, axis=1) > 0
    behind = np.pad(ended[:, :-1], [(0, 0), (1, 0)])
    np.testing.assert_array_equal(final_rows(imagined), behind)
    assert np.all(imagined.reward.numpy()[behind] == 0)
    values = networks.policy.value(imagined.observation)
    rows = rows_of(imagined, values, imagined.reward, made.policy)
    np.testing.assert_array_equal(rows.weight, ~behind.ravel())
