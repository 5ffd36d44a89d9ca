"""What the project relies on in every environment; each environment's test inherits it."""

from __future__ import annotations

import copy
import json
from typing import Any

import dm_env
import numpy as np
import tree
from acme import specs as acme_specs
from dm_env import specs

from pipelines.environments import make_environment_spec

Episode = list[dm_env.TimeStep]


def random_action(
    spec: specs.Array, rng: np.random.RandomState, observation: Any = None
) -> np.ndarray:
    """Draws from the whole spec, or from the legal actions that an observation names."""
    if isinstance(observation, dict):
        return np.asarray(rng.choice(np.flatnonzero(observation["legal_actions"])), spec.dtype)
    if isinstance(spec, specs.DiscreteArray):
        return np.asarray(rng.randint(spec.num_values), spec.dtype)
    return rng.uniform(spec.minimum, spec.maximum, spec.shape).astype(spec.dtype)


def play(environment: Any, action_seed: int) -> Episode:
    """Plays one episode of uniformly random (legal) actions."""
    rng = np.random.RandomState(action_seed)
    spec = environment.action_spec()
    timesteps = [environment.reset()]
    while not timesteps[-1].last():
        action = random_action(spec, rng, timesteps[-1].observation)
        timesteps.append(environment.step(action))
    return timesteps


def assert_equal_observations(actual: Any, expected: Any) -> None:
    tree.map_structure(np.testing.assert_array_equal, actual, expected)


def differ(actual: Any, expected: Any) -> bool:
    pairs = zip(tree.flatten(actual), tree.flatten(expected), strict=True)
    return any(np.any(ours != theirs) for ours, theirs in pairs)


def assert_same_episode(actual: Episode, expected: Episode) -> None:
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours.step_type == theirs.step_type
        assert ours.reward == theirs.reward
        assert ours.discount == theirs.discount
        assert_equal_observations(ours.observation, theirs.observation)


class EnvironmentContract:
    """Subclasses say how to make the environment under test, with short episodes if they can."""

    name: str

    def make(self, seed: int) -> Any:
        raise AssertionError("a subclass makes its environment here")

    def test_specs_hold_for_what_comes_out(self) -> None:
        environment = self.make(seed=1)
        for timestep in play(environment, action_seed=2):
            tree.map_structure(_validate, environment.observation_spec(), timestep.observation)
            if not timestep.first():
                assert isinstance(timestep.reward, np.float32)
                assert isinstance(timestep.discount, np.float32)
                environment.reward_spec().validate(timestep.reward)
                environment.discount_spec().validate(timestep.discount)

    def test_observations_are_pixels_or_float32_or_a_board_with_legal_actions(self) -> None:
        spec = self.make(seed=1).observation_spec()
        if isinstance(spec, dict):
            legal, (seen,) = spec["legal_actions"], [spec[k] for k in spec if k != "legal_actions"]
            # The board's planes, or a packed position.
            assert (seen.dtype, len(seen.shape)) in ((np.float32, 3), (np.uint8, 1))
            assert (legal.dtype, legal.shape) == (bool, (self.make(1).action_spec().num_values,))
        else:
            assert (spec.dtype, len(spec.shape)) in ((np.uint8, 3), (np.float32, 1))

    def test_action_spec_is_discrete_or_normalised(self) -> None:
        spec = self.make(seed=1).action_spec()
        if isinstance(spec, specs.DiscreteArray):
            assert spec.dtype == np.int32
        else:
            assert spec.dtype == np.float32
            assert np.all(spec.minimum == -1) and np.all(spec.maximum == 1)

    def test_specs_become_acmes(self) -> None:
        environment = self.make(seed=1)
        spec = make_environment_spec(environment)
        assert isinstance(spec, acme_specs.EnvironmentSpec)
        assert spec.observations == environment.observation_spec()
        assert spec.actions == environment.action_spec()

    def test_an_episode_is_first_then_mids_then_last(self) -> None:
        first, *middle, last = play(self.make(seed=1), action_seed=2)
        assert first.first() and first.reward is None and first.discount is None
        assert middle and all(timestep.mid() and timestep.discount == 1 for timestep in middle)
        assert last.last()

    def test_a_step_before_reset_or_after_last_begins_an_episode(self) -> None:
        environment = self.make(seed=1)
        spec, rng = environment.action_spec(), np.random.RandomState(0)
        first = environment.step(spec.generate_value())
        assert first.first()
        play(environment, action_seed=2)
        first = environment.step(spec.generate_value())
        assert first.first()
        assert environment.step(random_action(spec, rng, first.observation)).mid()

    def test_reset_in_mid_episode_begins_another(self) -> None:
        environment = self.make(seed=1)
        spec, rng = environment.action_spec(), np.random.RandomState(0)
        environment.step(random_action(spec, rng, environment.reset().observation))
        first = environment.reset()
        assert first.first()
        assert environment.step(random_action(spec, rng, first.observation)).mid()

    def test_an_observation_stays_as_it_was_returned(self) -> None:
        environment = self.make(seed=1)
        timestep = environment.reset()
        observation, kept = timestep.observation, copy.deepcopy(timestep.observation)
        rng = np.random.RandomState(0)
        for _ in range(2):  # No game is over so soon.
            action = random_action(environment.action_spec(), rng, timestep.observation)
            timestep = environment.step(action)
        assert_equal_observations(observation, kept)

    def test_the_same_seed_gives_the_same_episodes(self) -> None:
        ours, theirs = self.make(seed=3), self.make(seed=3)
        for action_seed in range(2):
            assert_same_episode(play(ours, action_seed), play(theirs, action_seed))

    def test_another_seed_or_another_episode_starts_elsewhere(self) -> None:
        environment = self.make(seed=3)
        start = environment.reset().observation
        assert differ(self.make(seed=4).reset().observation, start)
        assert differ(environment.reset().observation, start)

    def test_a_restored_random_state_gives_the_uninterrupted_episodes(self) -> None:
        environment = self.make(seed=5)
        play(environment, action_seed=0)
        saved = json.dumps(environment.random_state())
        uninterrupted = [play(environment, action_seed) for action_seed in (1, 2)]
        resumed = self.make(seed=6)
        resumed.reset()
        resumed.set_random_state(json.loads(saved))
        for action_seed, expected in zip((1, 2), uninterrupted, strict=True):
            assert_same_episode(play(resumed, action_seed), expected)

    def test_restoring_a_random_state_ends_the_episode_at_hand(self) -> None:
        environment = self.make(seed=5)
        environment.reset()
        environment.set_random_state(environment.random_state())
        assert environment.step(environment.action_spec().generate_value()).first()

    def test_render_draws_a_picture_of_the_size_asked_for(self) -> None:
        environment = self.make(seed=1)
        environment.reset()
        frame = environment.render(48, 64)
        assert frame.shape == (48, 64, 3) and frame.dtype == np.uint8
        assert frame.std() > 1

    def test_the_name_says_where_the_task_comes_from(self) -> None:
        assert self.make(seed=1).name == self.name

    def test_closing_leaves_other_environments_alone(self) -> None:
        closed, open_ = self.make(seed=1), self.make(seed=1)
        closed.reset()
        start = open_.reset()
        closed.close()
        assert start.first()
        assert self.make(seed=1).reset().first()
        assert np.any(open_.render(48, 64) > 0)


def _validate(spec: specs.Array, value: Any) -> None:
    assert isinstance(value, np.ndarray)
    spec.validate(value)
