"""Protects episodes: whole ones, each row its own, and a stop that leaves nothing half done."""

from __future__ import annotations

import time

import dm_env
import numpy as np
import pytest

from agents.actor import Actor
from pipelines.acting.environment_loop import FILM_SIZE, EnvironmentLoop, Interrupted
from pipelines.environments import BatchedEnvironment, board_game
from pipelines.system import errors
from pipelines.system.errors import UserError
from tests.agents import board


class Counting(dm_env.Environment):
    """Episodes of given lengths, in turn; frames and rewards tell environment and step."""

    name = "counting"

    def __init__(self, index: int, lengths: list[int]) -> None:
        self._index, self._lengths = index, lengths
        self.started = self.steps = 0

    def reset(self) -> dm_env.TimeStep:
        self._length = self._lengths[self.started % len(self._lengths)]
        self.started += 1
        self._at = 0
        return dm_env.restart(self._frame())

    def step(self, action) -> dm_env.TimeStep:
        assert action == self._index, "each row gets its own action"
        self._at += 1
        self.steps += 1
        reward = np.float32(10 * self._index + self._at)
        if self._at == self._length:
            return dm_env.termination(reward, self._frame())
        return dm_env.transition(reward, self._frame())

    def observation_spec(self):
        return dm_env.specs.Array((2,), np.int64)

    def action_spec(self):
        return dm_env.specs.Array((), np.int64)

    def render(self, height: int, width: int) -> np.ndarray:
        return np.full([height, width, 3], 10 * self._index + self._at, np.uint8)

    def _frame(self) -> np.ndarray:
        return np.array([self._index, self._at])


class Recorder:
    """Stands where the actor does: acts by the observation, and notes what it is told."""

    def __init__(self, writes: bool = True) -> None:
        self.writes, self.abandoned = writes, False
        self.seen: dict[int, list[tuple]] = {}

    def select_action(self, timesteps):
        return np.array([timestep.observation[0] for timestep in timesteps])

    def observe_first(self, row, timestep):
        assert timestep.first()
        self.seen.setdefault(row, []).append(("first", int(timestep.observation[1])))

    def observe(self, row, action, timestep):
        self.seen[row].append((int(action), int(timestep.observation[1])))

    def abandon(self):
        self.abandoned = True


def make(lengths: list[list[int]], **options):
    environments = [Counting(i, each) for i, each in enumerate(lengths)]
    actor = Recorder(**options)
    return environments, actor


def test_an_episode_is_told_whole_and_summed():
    environments, actor = make([[3]])
    (episode,) = EnvironmentLoop(BatchedEnvironment(environments), actor).run(1)
    assert actor.seen == {0: [("first", 0), (0, 1), (0, 2), (0, 3)]}
    assert (episode.episode_return, episode.length) == (1 + 2 + 3, 3)
    assert episode.observations is None


def test_rows_end_at_their_own_times_and_begin_anew():
    environments, actor = make([[2], [5]])
    played = EnvironmentLoop(BatchedEnvironment(environments), actor).run(4)
    assert [episode.length for episode in played] == [2, 2, 5, 2]
    assert [environment.started for environment in environments] == [3, 1]


def test_a_row_with_nothing_left_to_play_rests():
    environments, actor = make([[2], [5]])
    EnvironmentLoop(BatchedEnvironment(environments), actor).run(2)
    assert [environment.steps for environment in environments] == [2, 5]
    assert [environment.started for environment in environments] == [1, 1]


def test_fewer_episodes_than_rows_leave_the_others_untouched():
    environments, actor = make([[2], [2], [2]])
    assert len(EnvironmentLoop(BatchedEnvironment(environments), actor).run(1)) == 1
    assert [environment.started for environment in environments] == [1, 0, 0]


def test_the_first_episodes_are_recorded_with_their_last_frame():
    environments, actor = make([[2], [3]])
    played = EnvironmentLoop(BatchedEnvironment(environments), actor).run(3, record=2)
    assert [episode.observations is not None for episode in played] == [True, True, False]
    np.testing.assert_array_equal(played[1].observations, [[1, 0], [1, 1], [1, 2], [1, 3]])
    np.testing.assert_array_equal(played[1].actions, [1, 1, 1])


def test_steps_are_counted_as_they_are_made():
    environments, actor = make([[2], [3]])
    counts = []
    EnvironmentLoop(BatchedEnvironment(environments), actor).run(2, on_step=counts.append)
    assert counts == [2, 4, 5]


def test_where_the_time_goes_is_told():
    environments, actor = make([[3]])
    actor.select_action = lambda timesteps: (time.sleep(0.01), np.array([0]))[1]
    loop = EnvironmentLoop(BatchedEnvironment(environments), actor)
    start = time.perf_counter()
    loop.run(2)
    whole = time.perf_counter() - start
    assert loop.seconds["policy"] >= 6 * 0.01
    assert loop.seconds["environment"] > 0 and loop.seconds["replay"] > 0
    assert sum(loop.seconds.values()) <= whole


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_stop_before_an_episode_ended_forgets_all_of_them(after):
    environments, actor = make([[3], [5]])
    answers = iter([False] * after + [True])
    loop = EnvironmentLoop(BatchedEnvironment(environments), actor, lambda: next(answers))
    with pytest.raises(Interrupted):
        loop.run(2)
    assert actor.abandoned
    assert [environment.steps for environment in environments] == [after, after]


def test_a_stop_after_one_was_written_finishes_the_others():
    environments, actor = make([[3], [5]])
    asked = []
    loop = EnvironmentLoop(
        BatchedEnvironment(environments), actor, lambda: asked.append(1) or len(asked) > 3
    )
    assert [episode.length for episode in loop.run(2)] == [3, 5]
    assert not actor.abandoned


def test_a_stop_of_an_evaluation_need_not_wait():
    environments, actor = make([[3], [5]], writes=False)
    asked = []
    loop = EnvironmentLoop(
        BatchedEnvironment(environments), actor, lambda: asked.append(1) or len(asked) > 3
    )
    with pytest.raises(Interrupted):
        loop.run(2)


def test_what_is_no_picture_is_drawn_where_it_is_recorded():
    environments, actor = make([[2], [2]])
    played = EnvironmentLoop(BatchedEnvironment(environments), actor).run(2, record=1)
    assert played[1].frames is None
    assert played[0].frames.shape[0] == 3 and played[0].frames.dtype == np.uint8
    assert [frame.max() for frame in played[0].frames] == [0, 1, 2]


def test_an_episode_that_cannot_be_drawn_is_played_all_the_same(monkeypatch):
    def refuse(self, height, width):
        raise UserError("no renderer")

    monkeypatch.setattr(Counting, "render", refuse)
    environments, actor = make([[2]])
    (episode,) = EnvironmentLoop(BatchedEnvironment(environments), actor).run(1, record=1)
    assert episode.length == 2 and episode.frames is None and len(episode.observations) == 3


def test_a_renderer_that_fails_in_mid_episode_is_not_asked_again(monkeypatch, capfd):
    monkeypatch.setattr(errors, "_warned", set())
    asked = []

    def fail_at_the_second(environment, height, width):
        asked.append(environment._at)
        if len(asked) == 2:
            raise RuntimeError("the context is lost")
        return np.zeros([height, width, 3], np.uint8)

    monkeypatch.setattr(Counting, "render", fail_at_the_second)
    environments, actor = make([[4]])
    (episode,) = EnvironmentLoop(BatchedEnvironment(environments), actor).run(1, record=1)
    assert episode.length == 4 and len(episode.observations) == 5 and asked == [0, 1]
    line = "warning: no films: the context is lost; everything else goes on\n"
    assert capfd.readouterr().err == line


def test_nests_of_observations_are_recorded_leaf_by_leaf_and_filmed():
    game = board_game(seed=0, opponent="random")
    loop = EnvironmentLoop(BatchedEnvironment([game]), Actor(board.BoardPolicy(), 1, seed=0))
    (episode,) = loop.run(1, record=1)
    seen, rows = episode.observations, episode.length + 1
    assert seen["board"].shape == (rows, 3, 3, 3) and seen["legal_actions"].shape == (rows, 9)
    assert seen["legal_actions"].dtype == bool
    for legal, action in zip(seen["legal_actions"][:-1], episode.actions, strict=True):
        assert legal[action]
    assert episode.frames.shape == (rows, 96, 96, 3) and episode.frames.dtype == np.uint8


def test_only_coloured_pictures_are_their_own_film():
    for shape, filmed in (([8, 8, 3], [8, 8]), ([8, 8, 4], FILM_SIZE)):
        environments, actor = make([[1]])
        environments[0]._frame = lambda shape=shape: np.zeros(shape, np.uint8)
        actor.select_action = lambda timesteps: np.array([0])
        actor.observe = actor.observe_first = lambda *_: None
        (episode,) = EnvironmentLoop(BatchedEnvironment(environments), actor).run(1, record=1)
        assert episode.frames.shape == (2, *filmed, 3)
