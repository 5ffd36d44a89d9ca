"""Protects Atari: contract, frames, what ends an episode, chance, answers to bad input."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from agents.simple.losses import pixel_classes, pixels_of
from pipelines.environments import BatchedEnvironment, atari
from pipelines.environments.atari import games
from pipelines.system.errors import UserError, first_line
from tests.pipelines.environments.environment_contract import (
    EnvironmentContract,
    assert_same_episode,
    play,
)

FIRE = 1


class TestSeaquest(EnvironmentContract):
    name = "atari/seaquest"

    def make(self, seed):
        return atari(seed=seed, game="seaquest", image_size=32, max_episode_frames=100)


class TestBreakoutByLives(EnvironmentContract):
    """Restored states fall between two lives of one game."""

    name = "atari/breakout"

    def make(self, seed):
        return atari(
            seed=seed,
            game="breakout",
            image_size=32,
            end_on_life_loss=True,
            full_action_set=False,
            sticky_actions=0.25,
            grayscale=True,
        )

    def test_another_seed_or_another_episode_starts_elsewhere(self):
        """The picture stands still until the ball is served; how it flies then differs."""
        environment = self.make(seed=3)
        episodes = [play(environment, action_seed=0) for _ in range(2)]
        episodes.append(play(self.make(seed=4), action_seed=0))
        assert len({b"".join(t.observation.tobytes() for t in e) for e in episodes}) == 3


def make(seed: int = 0, game: str = "breakout", **arguments):
    arguments = {"image_size": 32, "full_action_set": False, "noop_max": 0, **arguments}
    return atari(seed=seed, game=game, **arguments)


def play_always(environment, action: int):
    timesteps = [environment.reset()]
    while not timesteps[-1].last():
        timesteps.append(environment.step(action))
    return timesteps


def score_of(environment, action: int, steps: int) -> list[float]:
    environment.reset()
    return [float(environment.step(action).reward) for _ in range(steps)]


def test_pong_is_lost_21_to_nil_by_a_paddle_that_rests():
    timesteps = play_always(make(game="pong"), action=0)
    assert sum(timestep.reward for timestep in timesteps[1:]) == -21
    assert timesteps[-1].discount == 0


def test_a_game_over_has_discount_0_and_the_frame_limit_1():
    # The ball has to be served; without that a game of breakout lasts for ever.
    over = play_always(make(), action=FIRE)
    assert over[-1].discount == 0
    cut = play_always(make(max_episode_frames=42), action=0)
    assert cut[-1].discount == 1
    assert len(cut) - 1 == 11, "ten steps of four frames and one of two"


def watch(environment, on_act) -> None:
    """Has `on_act(action)` called after each frame of the emulator."""
    emulator = environment._emulator

    class Watched:
        def __getattr__(self, name):
            return getattr(emulator, name)

        def act(self, action):
            reward = emulator.act(action)
            on_act(action)
            return reward

    environment._emulator = Watched()


def test_observations_are_the_greater_of_the_last_two_frames_averaged_down():
    environment, frames = make(game="asteroids", image_size=96), []
    environment.reset()
    watch(environment, lambda action: frames.append(environment._emulator.getScreenRGB()))
    flickered = False
    for _ in range(10):
        observation = environment.step(FIRE).observation
        flickered |= bool(np.any(frames[-2] != frames[-1]))
        expected = Image.fromarray(np.maximum(frames[-2], frames[-1])).resize((96, 96), 4)
        np.testing.assert_array_equal(observation, np.array(expected))
    assert flickered and len(frames) == 40


def test_levels_are_the_nearest_ones_and_the_same_as_those_of_a_model_of_images():
    plain, few = (make(game="seaquest", levels=levels) for levels in (256, 6))
    before, after = plain.reset().observation, few.reset().observation
    spaced = np.array([0, 51, 102, 153, 204, 255])
    nearest = np.argmin(np.abs(before[..., None].astype(int) - spaced), axis=-1)
    np.testing.assert_array_equal(after, spaced[nearest])
    assert len(np.unique(after)) > 2
    np.testing.assert_array_equal(after, pixels_of(pixel_classes(before, 6), 6))


def test_rewards_are_points_and_clipped_on_request():
    rewards = score_of(make(game="space_invaders"), FIRE, 150)
    clipped = score_of(make(game="space_invaders", clip_rewards=True), FIRE, 150)
    assert max(rewards) >= 5
    np.testing.assert_array_equal(clipped, np.clip(rewards, -1, 1))


def test_a_step_adds_up_what_its_frames_give():
    fours = score_of(make(game="space_invaders"), FIRE, 150)
    ones = score_of(make(game="space_invaders", frame_skip=1), FIRE, 600)
    assert sum(fours) > 0
    np.testing.assert_array_equal(fours, np.reshape(ones, [150, 4]).sum(axis=1))


@pytest.mark.parametrize(("full", "count"), [(True, 18), (False, 4)])
def test_the_full_action_set_is_a_switch(full, count):
    assert make(full_action_set=full).action_spec().num_values == count


def test_a_life_lost_ends_an_episode_on_request_and_the_game_goes_on():
    environment = make(end_on_life_loss=True)
    lives, points = [], 0.0
    for _ in range(6):
        lives.append(environment._emulator.lives())
        timesteps = play_always(environment, action=FIRE)
        points += sum(timestep.reward for timestep in timesteps[1:])
        assert timesteps[-1].discount == 0
    assert lives == [5, 4, 3, 2, 1, 0], "the sixth episode is of a new game"
    whole = play_always(make(), action=FIRE)
    assert len(whole) > 5 * len(timesteps) / 2


def test_without_sticky_actions_and_no_ops_every_game_is_the_same():
    environment = make(game="assault", max_episode_frames=400)
    first = play(environment, action_seed=1)
    play(environment, action_seed=2)  # A reset alone would leave traces of this one in assault.
    assert_same_episode(play(environment, action_seed=1), first)


def test_sticky_actions_repeat_the_frame_before_as_often_as_asked():
    environment = make(game="pong", sticky_actions=0.25, frame_skip=1)
    environment.reset()
    given, (up, down) = [], environment._actions[2:4]
    watch(environment, given.append)
    for t in range(2000):
        environment.step(2 + t % 2)
    asked = [(up, down)[t % 2] for t in range(2000)]
    # The action before was the other one, unless it had been repeated itself: p = 1/4 / (1 + 1/4).
    share = np.mean([ours != theirs for ours, theirs in zip(given, asked, strict=True)])
    assert 0.16 < share < 0.24
    assert all(
        ours in (theirs, before)
        for ours, theirs, before in zip(given[1:], asked[1:], given, strict=False)
    )


def test_no_ops_make_starts_differ_by_as_many_frames_as_allowed():
    environment = make(game="seaquest", noop_max=3)
    frames = set()
    for _ in range(40):
        environment.reset()
        frames.add(environment._frames)
    assert frames == {1, 2, 3}


def test_games_go_on_in_the_middle_of_their_lives_after_a_restart():
    environment = make(end_on_life_loss=True, sticky_actions=0.25)
    play_always(environment, FIRE)
    saved = json.loads(json.dumps(environment.random_state()))
    resumed = make(seed=9, end_on_life_loss=True, sticky_actions=0.25)
    resumed.set_random_state(saved)
    assert_same_episode(play(resumed, 1), play(environment, 1))
    assert resumed._emulator.lives() == environment._emulator.lives() == 3


def test_games_side_by_side_do_not_disturb_each_other():
    def environments():
        return [make(seed=seed, game="seaquest", noop_max=30) for seed in range(2)]

    batch, alone = BatchedEnvironment(environments()), environments()
    batch.reset()
    for environment in alone:
        environment.reset()
    for t in range(10):
        timesteps = batch.step([t % 6, (t + 1) % 6])
        for i, timestep in enumerate(timesteps):
            expected = alone[i].step((t + i) % 6).observation
            np.testing.assert_array_equal(timestep.observation, expected)


def test_games_for_one_player_are_there_and_those_for_two_are_not():
    assert {"pong", "ms_pacman", "montezuma_revenge"} <= set(games())
    assert "combat" not in games() and len(games()) > 100


@pytest.mark.parametrize("action", [-1, 18])
def test_an_action_out_of_range_is_refused(action):
    environment = make(full_action_set=True)
    environment.reset()
    with pytest.raises(ValueError, match=rf"action is {action}, expected an integer from 0 to 17"):
        environment.step(action)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"game": "pongg"}, "atari.game is 'pongg', expected one of .* did you mean 'pong'?"),
        ({"game": "combat"}, "atari.game is 'combat', expected one of"),
        ({"image_size": 4}, "atari.image_size is 4, expected an integer from 8 to 1024"),
        ({"image_size": (105, 4)}, "atari.image_size is 4, expected an integer from 8 to 1024"),
        ({"frame_skip": 0}, "atari.frame_skip is 0, expected"),
        ({"sticky_actions": 1.0}, "atari.sticky_actions is 1.0, expected a number from 0 to below"),
        ({"sticky_actions": True}, "atari.sticky_actions is True, expected a number"),
        ({"full_action_set": 1}, "atari.full_action_set is 1, expected True or False"),
        ({"max_episode_frames": 0}, "atari.max_episode_frames is 0, expected"),
        ({"noop_max": -1}, "atari.noop_max is -1, expected"),
        ({"levels": 1}, "atari.levels is 1, expected an integer from 2 to 256"),
    ],
)
def test_bad_input_is_one_line(arguments, line):
    with pytest.raises(UserError) as error:
        atari(seed=0, **arguments)

    assert re.search(line, first_line(error.value))


def test_a_frame_may_be_no_square_and_actions_have_names():
    environment = atari(seed=0, game="pong", image_size=(105, 80), full_action_set=False)
    assert environment.reset().observation.shape == environment.observation_spec().shape
    assert environment.observation_spec().shape == (105, 80, 3)
    assert len(environment.action_meanings) == environment.action_spec().num_values
    assert {"NOOP", "LEFT", "RIGHT"} <= set(environment.action_meanings)
