from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from agents.planet.networks import LatentState, WorldModel, postprocess, preprocess
from tests.agents.planet import tiny


def assert_states_equal(actual: LatentState, expected: LatentState) -> None:
    for ours, theirs, name in zip(actual, expected, LatentState._fields, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_observe_equals_filtering_step_by_step(kind: str):
    dynamics, inputs = tiny.dynamics_and_sequence(kind, seed=1)
    posterior, _ = dynamics.observe(**inputs)
    state = dynamics.initial(2)
    for t in range(5):
        embedding, action, noise = (
            inputs[name][:, t] for name in ("embedding", "previous_action", "noise")
        )
        state = dynamics.obs_step(state, action, embedding, noise)
        assert_states_equal(tiny.at(posterior, t), state)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_the_prior_is_what_is_imagined_from_the_posterior_before(kind: str):
    dynamics, inputs = tiny.dynamics_and_sequence(kind, seed=2)
    posterior, prior = dynamics.observe(**inputs)
    before = dynamics.initial(2)
    for t in range(5):
        imagined = dynamics.img_step(before, inputs["previous_action"][:, t])
        assert_states_equal(tiny.at(prior, t), imagined)
        before = tiny.at(posterior, t)


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_imagine_equals_img_steps_and_sees_no_later_action(kind: str):
    dynamics, inputs = tiny.dynamics_and_sequence(kind, seed=3)
    actions, noise = inputs["previous_action"], inputs["noise"]
    start = tiny.at(dynamics.observe(**inputs)[0], 0)
    states, state = dynamics.imagine(start, actions, noise), start
    for t in range(5):
        state = dynamics.img_step(state, actions[:, t], noise[:, t])
        assert_states_equal(tiny.at(states, t), state)
    others = tf.concat([actions[:, :3], -actions[:, 3:]], axis=1)
    changed = dynamics.imagine(start, others, noise).features
    np.testing.assert_array_equal(changed[:, :3], states.features[:, :3])
    assert np.abs(changed[:, 3] - states.features[:, 3]).max() > 1e-3


def test_the_three_models_differ_as_the_paper_draws_them():
    posteriors = {}
    for kind in tiny.KINDS:
        dynamics, inputs = tiny.dynamics_and_sequence(kind, seed=4)
        posteriors[kind] = dynamics.observe(**inputs)[0]
    assert posteriors["ssm"].deterministic.shape == (2, 5, 0)
    assert posteriors["rssm"].deterministic.shape == (2, 5, 12)
    rnn = posteriors["rnn"]  # No randomness: the draw is the mean, and the variance is one.
    np.testing.assert_array_equal(rnn.stochastic, rnn.mean)
    np.testing.assert_array_equal(rnn.stddev, tf.ones_like(rnn.mean))
    for kind in ("ssm", "rssm"):
        state = posteriors[kind]
        expected = state.mean + state.stddev * inputs["noise"]
        np.testing.assert_allclose(state.stochastic, expected, atol=1e-5)
        assert np.all(state.stddev >= np.float32(0.1))  # min_stddev


@pytest.mark.parametrize("kind", tiny.KINDS)
def test_every_variable_is_made_at_the_start(kind: str):
    model = WorldModel(tiny.config(dynamics=kind), (8, 8, 3), tiny.ACTION_SIZE)
    created = {variable.name for variable in model.variables}
    embedding = model.encoder(tf.zeros([6, 8, 8, 3]))
    state, _ = model.dynamics.observe(
        tf.reshape(embedding, [2, 3, -1]), tf.zeros([2, 3, 2]), tf.zeros([2, 3, 4])
    )
    features = tf.reshape(state.features, [6, -1])
    assert model.decoder(features).shape == (6, 8, 8, 3)
    assert model.reward(features).shape == (6,)
    assert {variable.name for variable in model.variables} == created


@pytest.mark.parametrize(
    ("bits", "pixel", "expected"),
    [
        (5, 0, -0.5),
        (5, 7, -0.5),
        (5, 8, -0.5 + 1 / 32),
        (5, 128, 0.0),
        (5, 255, 0.5 - 1 / 32),
        (8, 255, 0.5 - 1 / 256),
        (1, 127, -0.5),
        (1, 128, 0.0),
    ],
)
def test_preprocess_drops_the_low_bits_and_centres(bits: int, pixel: int, expected: float):
    image = preprocess(tf.constant([[pixel]], tf.uint8), bits)
    assert image.dtype == tf.float32
    np.testing.assert_allclose(image, [[expected]], atol=1e-7)


def test_dequantisation_noise_stays_within_one_step_and_fills_it():
    pixels = tf.constant(tiny.pixels(np.random.RandomState(5), 4))
    noise = preprocess(pixels, 5, tf.constant([1, 2])) - preprocess(pixels, 5)
    assert np.min(noise) >= -1e-6 and np.max(noise) < 1 / 32 + 1e-6
    np.testing.assert_allclose(np.mean(noise), 1 / 64, atol=1e-3)


def test_postprocess_gives_back_the_pixels_and_clips():
    pixels = tf.range(256)[:, None]
    image = preprocess(tf.cast(pixels, tf.uint8), bits=8)
    assert np.abs(tf.cast(postprocess(image), tf.int32) - pixels).max() <= 1
    np.testing.assert_array_equal(postprocess(tf.constant([-3.0, 3.0])), [0, 255])


class TestOpenLoop:
    """Eight frames, of which the model sees three."""

    def predict(self, change_frames_from: int = 8, change_actions_from: int = 8) -> np.ndarray:
        rng = np.random.RandomState(6)
        frames = tiny.pixels(rng, 8)
        actions = rng.uniform(-1, 1, [8, tiny.ACTION_SIZE]).astype(np.float32)
        frames[change_frames_from:] = 255 - frames[change_frames_from:]
        actions[change_actions_from:] *= -1
        (imagined,) = self.predictor(frames, actions, 3)
        return imagined.frames

    def setup_method(self) -> None:
        builder, networks = tiny.builder_and_networks(dequantisation_noise=False)
        rng = np.random.RandomState(7)
        for variable in networks.trainable_variables:
            variable.assign(0.5 * rng.normal(size=variable.shape))
        self.predictor = builder.make_open_loop_predictor(networks)
        self.model = networks.acting

    def test_the_context_is_reconstructed(self) -> None:
        rng = np.random.RandomState(6)
        frames = tiny.pixels(rng, 8)
        actions = rng.uniform(-1, 1, [8, tiny.ACTION_SIZE]).astype(np.float32)
        dynamics, state = self.model.dynamics, self.model.dynamics.initial(1)
        expected = []
        for t in range(3):
            embedding = self.model.encoder(preprocess(frames[t : t + 1]))
            action = actions[t - 1 : t] if t else np.zeros([1, tiny.ACTION_SIZE], np.float32)
            state = dynamics.obs_step(state, action, embedding, None)
            expected.append(postprocess(self.model.decoder(state.features))[0])
        for t in range(3, 8):
            state = dynamics.img_step(state, actions[t - 1 : t])
            expected.append(postprocess(self.model.decoder(state.features))[0])
        prediction = self.predict()
        assert prediction.dtype == np.uint8 and prediction.shape == frames.shape
        assert np.abs(prediction.astype(int) - np.stack(expected)).max() <= 1

    def test_the_rest_is_imagined_without_its_frames(self) -> None:
        np.testing.assert_array_equal(self.predict(change_frames_from=3), self.predict())
        changed = self.predict(change_frames_from=2)
        assert np.any(changed[2:] != self.predict()[2:])
        np.testing.assert_array_equal(changed[:2], self.predict()[:2])

    @pytest.mark.parametrize("t", [3, 5])
    def test_an_action_changes_the_frames_behind_it_alone(self, t: int) -> None:
        changed = self.predict(change_actions_from=t)
        np.testing.assert_array_equal(changed[: t + 1], self.predict()[: t + 1])
        assert np.any(changed[t + 1] != self.predict()[t + 1])
