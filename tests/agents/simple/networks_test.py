"""Protects the model: what it sees and says, and its bits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import tensorflow as tf

from agents.frame_stacking import into_channels
from agents.simple.imagination import ImaginedGame
from agents.simple.losses import signs
from agents.simple.networks import Prediction
from tests.agents.simple import tiny


def inputs(rng, rows: int = 5) -> tuple[tf.Tensor, tf.Tensor]:
    stack = tf.constant(tiny.frames(rng, rows, 2))
    return stack, tf.constant(rng.randint(0, tiny.NUM_ACTIONS, [rows]), tf.int32)


def bits_of(rng, rows: int = 5) -> tf.Tensor:
    return tf.constant(rng.choice([-1.0, 1.0], [rows, 4]), tf.float32)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pixels": "regression"},
        {"model": "deterministic"},
        {"action_injection": "gated", "normalisation": "none", "predict_ends": True},
        {"downsamplings": 4, "doublings": 0, "blocks": 0},
    ],
)
def test_a_prediction_has_the_frames_shape_whatever_the_switches(rng, changes):
    made = tiny.builder(**changes)
    model = tiny.networks_of(made).model
    stack, action = inputs(rng)
    bits = None if model.latents is None else bits_of(rng)
    assert (model.latents is None) == (changes.get("model") == "deterministic")
    prediction = model.predict(model.see(into_channels(stack), action), action, bits)
    levels = [] if made.config.pixels == "regression" else [4]
    assert prediction.pixels.shape == [5, *tiny.FRAME, *levels]
    assert prediction.reward.shape == [5, 3]
    frame, reward = model.frame(prediction), model.reward(prediction)
    assert frame.shape == [5, *tiny.FRAME] and frame.dtype == tf.uint8
    assert set(reward.numpy()) <= {-1.0, 0.0, 1.0}
    ends = tf.sigmoid(prediction.end).numpy()
    assert np.all(ends > 0) if made.config.predict_ends else np.all(ends == 0)
    if made.config.pixels == "softmax":
        assert set(np.unique(frame)) <= {0, 85, 170, 255}


@pytest.mark.parametrize("channels", [0, 6])
def test_rewards_are_told_what_is_beside_what_only_where_places_are_looked_at(channels):
    made = tiny.builder(reward_channels=channels)
    model, (height, width, _) = tiny.networks_of(made).model, tiny.FRAME
    finest = np.zeros([2, height, width, made.config.channels], np.float32)
    # One number in each of two maps: in neighbouring pixels, and far apart.
    finest[0, 3, 3, 0] = finest[0, 4, 3, 1] = 1.0
    finest[1, 3, 3, 0] = finest[1, 4, 6, 1] = 1.0
    together, apart = model._summary(tf.zeros([2, 8]), tf.constant(finest)).numpy()
    assert together.shape == (8 + made.config.channels + channels,)
    assert np.allclose(together, apart) == (channels == 0), "their means are equal"


@pytest.mark.parametrize("injection", ["multiplicative", "gated"])
def test_frames_actions_and_bits_all_matter_and_rows_do_not_see_each_other(rng, injection):
    model = tiny.networks_of(tiny.builder(action_injection=injection)).model
    stack, action = inputs(rng)
    bits = bits_of(rng)

    def said(stack, action, bits):
        prediction = model.predict(model.see(into_channels(stack), action), action, bits)
        return prediction.pixels.numpy(), prediction.reward.numpy()

    before = said(stack, action, bits)
    one = tf.one_hot(2, 5, dtype=tf.int32)
    changed = [
        said(tf.concat([stack[:2], 255 - stack[2:3], stack[3:]], axis=0), action, bits),
        said(stack, (action + one) % tiny.NUM_ACTIONS, bits),
        said(stack, action, tf.where(one[:, None] == 1, -bits, bits)),
    ]
    for after in changed:
        for ours, theirs in zip(before, after, strict=True):
            others = [0, 1, 3, 4]
            np.testing.assert_allclose(ours[others], theirs[others], rtol=1e-3, atol=1e-3)
            assert np.any(np.abs(ours[2] - theirs[2]) > 1e-3)


def test_rows_that_are_not_shown_their_bits_do_not_depend_on_them(rng):
    model = tiny.networks_of(tiny.builder()).model
    stack, action = inputs(rng)
    seen, used = model.see(into_channels(stack), action), tf.constant([True, False] * 2 + [True])
    one, two = (
        model.predict(seen, action, bits, used).pixels for bits in (bits_of(rng), -bits_of(rng))
    )
    np.testing.assert_array_equal(one[1::2], two[1::2])
    # Rectifiers may hide the bits of a row.
    assert np.any(one[0::2] != two[0::2])


def test_the_predictors_probabilities_sum_to_one_and_its_draws_follow_them(rng):
    """Over all 16 codes of four bits, two at once, so that the second pair hangs on the first."""
    latents = tiny.networks_of(tiny.builder(), scale=1.0).model.latents
    hidden = tf.constant(rng.normal(size=[1, 3, 3, 16]), tf.float32)
    codes = tf.constant(list(itertools.product([-1.0, 1.0], repeat=4)))
    many = lambda x, n: tf.repeat(x, n, axis=0)  # noqa: E731
    chances = np.exp(latents.log_likelihood(many(hidden, 16), codes))
    np.testing.assert_allclose(chances.sum(), 1, rtol=1e-4)
    drawn = latents.draw(many(hidden, 20_000), tf.constant([1, 2]))
    assert set(np.unique(drawn)) == {-1.0, 1.0}
    places = ((drawn.numpy() > 0) @ [8, 4, 2, 1]).astype(int)
    shares = np.bincount(places, minlength=16) / len(places)
    np.testing.assert_allclose(shares, chances, atol=0.02)


def test_at_play_bits_are_exactly_plus_or_minus_one_and_carry_the_sample(rng, monkeypatch):
    made = tiny.builder()
    networks = tiny.networks_of(made)
    model, world = networks.model, ImaginedGame(made.config, networks.model)
    stack, action = inputs(rng)
    injected, inject = [], model.latents.inject

    def spy(hidden, bits, used):
        injected.append(bits.numpy())
        return inject(hidden, bits, used)

    monkeypatch.setattr(model.latents, "inject", spy)
    steps = [world.step({"frames": stack}, action, tf.constant([3, t])) for t in (0, 0, 1, 2, 3)]
    assert set(np.unique(injected)) == {-1.0, 1.0}
    seen = model.see(into_channels(stack), action)
    # Predictions inject too.
    for bits, step in zip(list(injected), steps, strict=True):
        prediction = model.predict(seen, action, tf.constant(bits))
        np.testing.assert_array_equal(step.observation, model.frame(prediction))
        np.testing.assert_array_equal(step.reward, model.reward(prediction))
    np.testing.assert_array_equal(injected[0], injected[1])
    assert any(np.any(injected[0] != other) for other in injected[2:])


@pytest.mark.parametrize("inference", ["frames", "surprise"])
def test_the_inference_network_sees_the_frame_that_came(rng, inference):
    model = tiny.networks_of(tiny.builder(inference=inference)).model
    stack, action = inputs(rng)
    frame, images = tf.constant(tiny.frames(rng, 5)), into_channels(stack)
    seen = model.see(images, action)
    numbers, others = (
        model.latents.infer(model.evidence(images, seen, action, each), action)
        for each in (frame, 255 - frame)
    )
    assert numbers.shape == [5, 4] and np.all(np.any(numbers != others, axis=1))
    assert set(np.unique(signs(numbers))) <= {-1.0, 1.0}


@pytest.mark.parametrize("pixels", ["softmax", "regression"])
def test_a_surprise_is_what_the_mean_frame_without_bits_lacks(rng, pixels):
    model = tiny.networks_of(tiny.builder(inference="surprise", pixels=pixels)).model
    stack, action = inputs(rng)
    frame, images = tiny.frames(rng, 5), into_channels(stack)
    seen = model.see(images, action)
    said = model.predict(seen, action, None).pixels.numpy()
    mean = said / 255
    if pixels == "softmax":
        chances = np.exp(said - said.max(axis=-1, keepdims=True))
        chances /= chances.sum(axis=-1, keepdims=True)
        mean = chances @ np.linspace(0, 1, 4)
    found = model.evidence(images, seen, action, tf.constant(frame))
    np.testing.assert_allclose(found, frame / 255 - mean, atol=1e-4)


def test_standardised_numbers_are_spread_over_the_batch(rng):
    model = tiny.networks_of(tiny.builder(bits_standardised=True)).model
    stack, action = inputs(rng, 6)
    images = into_channels(stack)
    seen, frame = model.see(images, action), tf.constant(tiny.frames(rng, 6))
    numbers = model.latents.infer(model.evidence(images, seen, action, frame), action).numpy()
    np.testing.assert_allclose(numbers.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(numbers.std(axis=0), 1, atol=1e-3)


def test_an_imagined_reward_is_the_likeliest_class_or_the_mean_of_all():
    logits = tf.math.log([[0.3, 0.6, 0.1], [0.1, 0.1, 0.8]])
    said = Prediction(tf.zeros([2]), logits, tf.zeros([2]))
    for kind, expected in {"likeliest": [0.0, 4.0], "mean": [-0.5, 2.9]}.items():
        made = tiny.builder(imagined_reward=kind, reward_values=(-3.0, 0.0, 4.0))
        rewards = tiny.networks_of(made).model.reward(said)
        np.testing.assert_allclose(rewards, expected, rtol=1e-6)
