"""Protects playing: both games get the same actions, and imagination can be set right."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.world import World, WorldStep
from pipelines.environments import atari, catch
from pipelines.playing.games import SideBySide, help_of, keys_of
from pipelines.playing.terminal import picture


class Echo(World):
    """Imagines a frame of nothing but the last action, rewards it, and ends at action 2."""

    observation_spec = tf.TensorSpec([24, 24, 1], tf.uint8)
    action_spec = tf.TensorSpec([], tf.int32)

    def reset(self, observation):
        return {"seen": tf.ones([1], tf.int32)}

    def seen(self, state, observation):
        return {"seen": state["seen"] + 1}

    def step(self, state, action, seed):
        frame = tf.fill([1, 24, 24, 1], tf.cast(action[0], tf.uint8))
        reward = tf.cast(action, tf.float32)
        return WorldStep(frame, reward, tf.cast(action != 2, tf.float32), state)


def test_both_do_the_same_until_imagination_is_over():
    environment = catch(seed=1, balls=2)
    games = SideBySide(environment, Echo(), seed=0)
    real, imagined = games.frames()
    np.testing.assert_array_equal(real, imagined)
    for action in (1, 2, 1):
        games.step(action)
    real, imagined = games.frames()
    assert np.all(imagined == 2), "it ended with the second action"
    assert games.imagined_return == 3 and games.steps == 3
    assert "imagined over" in games.said()
    games.set_right()
    real, imagined = games.frames()
    np.testing.assert_array_equal(real, imagined)
    assert (games.imagined_return, games.real_return, games.steps) == (0, 0, 0)
    assert games._state["seen"][0] == 4, "it knows the three frames that came meanwhile"


def test_behind_an_episodes_end_another_begins():
    games = SideBySide(catch(seed=1, balls=1), Echo(), seed=0)
    for _ in range(10):
        games.step(0)
    assert "the game is over" in games.said() and abs(games.real_return) == 1
    games.step(0)
    assert games.steps == 0 and "over" not in games.said()


def test_keys_are_numbers_and_what_the_environment_calls_its_actions():
    environment = catch(seed=0)
    assert keys_of(environment) == {"0": 0, "1": 1, "2": 2, ".": 0, "left": 1, "right": 2}
    assert help_of(environment, keys_of(environment)) == "0/.: noop  1/left: left  2/right: right"
    joystick = keys_of(atari(seed=0, game="pong"))
    assert joystick["space"] == 1 and joystick["up"] == 2 and joystick["9"] == 9


def test_a_picture_has_two_pixels_a_character():
    frame = np.zeros([4, 3, 3], np.uint8)
    frame[1, 2] = (255, 128, 0)
    lines = picture([frame]).split("\r\n")
    assert len(lines) == 3 and lines[0].count("▀") == 3 + 2
    assert "38;2;0;0;0;48;2;255;128;0m▀" in lines[0]
    grey = picture([np.full([2, 1, 1], 7, np.uint8)])
    assert grey.startswith("\x1b[38;2;7;7;7;48;2;7;7;7m▀")
    wide = picture([np.zeros([210, 160, 3], np.uint8)]).split("\r\n")
    assert wide[0].count("▀") == 80 + 2 and len(wide) == 105 // 2 + 1
