"""Protects imagination: which frame, action, reward and end stand in which row."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from agents.builder import Imagined
from agents.frame_stacking import into_channels, push
from agents.rollouts import final_rows
from agents.simple.imagination import ImaginedGame, imagine, open_loop
from agents.world import World, WorldStep
from tests.agents.simple import tiny


class Counting(World):
    """Its frame is a number that rises by the action; a step is rewarded by the sum; 9 ends all."""

    observation_spec = tf.TensorSpec([1, 1, 1], tf.uint8)
    action_spec = tf.TensorSpec([], tf.int32)

    def reset(self, observation):
        empty = tf.zeros([tf.shape(observation)[0], 2, 1, 1, 1], tf.uint8)
        return self.seen({"frames": empty}, observation)

    def seen(self, state, observation):
        return {"frames": push(state["frames"], observation)}

    def step(self, state, action, seed):
        frame = state["frames"][:, -1] + tf.cast(action, tf.uint8)[:, None, None, None]
        number = tf.cast(tf.reshape(frame, [-1]), tf.float32)
        goes_on = tf.cast(number < 9, tf.float32)
        return WorldStep(frame, 10 * number, goes_on, self.seen(state, frame))


def acting(image: tf.Tensor):
    """1 or 2, each as likely."""
    return tfp.distributions.Categorical(tf.math.log([[0.0, 0.5, 0.5]] * image.shape[0]))


def test_rows_hold_what_was_seen_and_what_came_of_it():
    start = tf.constant([[0, 0], [4, 5]], tf.uint8)[..., None, None, None]
    found = imagine(Counting(), acting, start, 6, tf.constant([1, 1]))
    seen, action = found.observation.numpy()[:, :, 0, 0], found.action.numpy()
    assert seen.shape == (2, 7, 2) and found.action.shape == [2, 6]
    over = False
    for row in range(2):
        numbers, over = [int(start[row, 1])], False
        for t in range(6):
            assert bool(final_rows(found)[row, t]) == over
            if over:
                assert (action[row, t], found.reward[row, t], found.discount[row, t]) == (0, 0, 0)
                assert found.extras["log_prob"][row, t] == 0
                continue
            assert seen[row, t, 1] == numbers[-1] and action[row, t] in (1, 2)
            numbers.append(numbers[-1] + action[row, t])
            assert found.reward[row, t] == 10 * numbers[-1]
            over = numbers[-1] >= 9
            assert found.discount[row, t] == (0 if over else 1)
            np.testing.assert_allclose(found.extras["log_prob"][row, t], np.log(0.5), rtol=1e-5)
            assert list(seen[row, t + 1]) == numbers[-2:]
    assert over, "the second one came to its end"
    assert not np.any(found.start_of_episode[:, 0])


def test_the_seed_decides_it():
    start = tf.zeros([8, 2, 1, 1, 1], tf.uint8)
    one, again, other = (
        imagine(Counting(), acting, start, 4, tf.constant([7, n])).action for n in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)
    assert len({tuple(row) for row in one.numpy()}) > 1


def test_it_is_one_graph(rng):
    made = tiny.builder()
    networks = tiny.networks_of(made)
    world = ImaginedGame(made.config, networks.model)
    start = tf.constant(tiny.frames(rng, 3, 2))
    rolled = tf.function(
        lambda seed: imagine(world, networks.policy.acting, start, 4, seed), autograph=False
    )
    in_graph, eagerly = (f(tf.constant([2, 3])) for f in (rolled, rolled.python_function))
    np.testing.assert_array_equal(in_graph.action, eagerly.action)
    np.testing.assert_array_equal(in_graph.observation, eagerly.observation)
    np.testing.assert_array_equal(in_graph.observation[:, 0], into_channels(start))


def test_a_game_begins_with_one_frame_and_sees_the_last_ones(rng):
    made = tiny.builder()
    world = ImaginedGame(made.config, tiny.networks_of(made).model)
    first, second = tf.constant(tiny.frames(rng, 3)), tf.constant(tiny.frames(rng, 3))
    state = world.reset(first)
    np.testing.assert_array_equal(state["frames"][:, 0], np.zeros_like(first))
    np.testing.assert_array_equal(state["frames"][:, 1], first)
    np.testing.assert_array_equal(world.seen(state, second)["frames"], np.stack([first, second], 1))
    step = world.step(state, tf.constant([0, 1, 2]), tf.constant([0, 0]))
    np.testing.assert_array_equal(step.state["frames"], np.stack([first, step.observation], axis=1))
    assert np.all(step.discount == 1)


def test_an_open_loop_knows_the_context_and_the_actions_alone():
    frames = np.array([3, 4, 6, 0, 0, 0], np.uint8).reshape([6, 1, 1, 1])
    actions = np.array([1, 2, 1, 0, 1, 7], np.int32)
    futures = open_loop(Counting(), frames, actions, context=3, samples=2)
    assert len(futures) == 2
    for future in futures:
        assert isinstance(future, Imagined)
        np.testing.assert_array_equal(future.frames[:, 0, 0, 0], [3, 4, 6, 7, 7, 8])
        np.testing.assert_array_equal(future.rewards, [0, 0, 0, 70, 70, 80])


def test_a_film_marks_the_rewards_that_are_likely_not_the_mean_of_all(rng):
    """Of models whose imagined rewards are means, which are hardly ever 0."""
    made = tiny.builder(imagined_reward="mean", reward_values=(-1.0, 0.0, 1.0))
    networks = tiny.networks_of(made)
    frames, actions = tiny.frames(rng, 1, 8)[0], rng.randint(0, tiny.NUM_ACTIONS, [8])
    world = made.make_world(networks)
    means = open_loop(world, frames, actions, context=3, samples=3)
    films = made.make_open_loop_predictor(networks)(frames, actions, 3)
    for mean, film in zip(means, films, strict=True):
        assert not np.any(np.isin(mean.rewards[3:], [-1.0, 0.0, 1.0]))
        np.testing.assert_array_equal(film.rewards, np.round(mean.rewards))
        np.testing.assert_array_equal(film.frames, mean.frames)
