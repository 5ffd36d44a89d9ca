"""Protects episodes: whole ones, each row its own, and a stop that leaves nothing half done."""

from __future__ import annotations

import copy
import time

import dm_env
import numpy as np
import pytest

from agents.actor import Actor
from pipelines.acting.environment_loop import EnvironmentLoop, undone_when_interrupted
from pipelines.acting.row import FILM_SIZE
from pipelines.environments import BatchedEnvironment, board_game
from pipelines.system import errors
from pipelines.system.errors import Interrupted, UserError
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

    def random_state(self):
        return self.started

    def set_random_state(self, state) -> None:
        self.started = state

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

    def __init__(self) -> None:
        self.seen: dict[int, list[tuple]] = {}
        self.rehearsed: dict[int, int] = {}
        self.calls = 0
        self.abandoned = self.flushed = False

    def select_action(self, timesteps, active):
        self.calls += 1
        return np.array([timestep.observation[0] for timestep in timesteps])

    def recorded(self, row):
        return {"calls": np.int64(self.calls)}

    def observe_first(self, row, timestep):
        assert timestep.first()
        self.seen.setdefault(row, []).append(("first", int(timestep.observation[1])))

    def observe(self, row, step):
        self.seen.setdefault(row, []).append((int(step.action), int(step.timestep.observation[1])))

    def rehearse(self, row, first, steps):
        assert first.first()
        self.rehearsed[row] = [int(step.extras["calls"]) for step in steps]

    def flush(self):
        self.flushed = True

    def abandon(self):
        self.abandoned = True


def make(lengths: list[list[int]]):
    return [Counting(i, each) for i, each in enumerate(lengths)], Recorder()


def test_an_episode_is_told_whole_and_summed():
    environments, actor = make([[3]])
    (episode,) = EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 1)
    assert actor.seen == {0: [("first", 0), (0, 1), (0, 2), (0, 3)]}
    assert (episode.episode_return, episode.length) == (1 + 2 + 3, 3)
    assert episode.observations is None


def test_rows_end_at_their_own_times_and_begin_anew():
    environments, actor = make([[2], [5]])
    played = EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 4)
    assert [episode.length for episode in played] == [2, 2, 5, 2]
    assert [environment.started for environment in environments] == [3, 1]


def test_a_row_with_nothing_left_to_play_rests():
    environments, actor = make([[2], [5]])
    EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 2)
    assert [environment.steps for environment in environments] == [2, 5]
    assert [environment.started for environment in environments] == [1, 1]


def test_fewer_episodes_than_rows_leave_the_others_untouched():
    environments, actor = make([[2], [2], [2]])
    assert len(EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 1)) == 1
    assert [environment.started for environment in environments] == [1, 0, 0]


def test_the_first_episodes_are_recorded_with_their_last_frame():
    environments, actor = make([[2], [3]])
    played = EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 3, record=2)
    assert [episode.observations is not None for episode in played] == [True, True, False]
    np.testing.assert_array_equal(played[1].observations, [[1, 0], [1, 1], [1, 2], [1, 3]])
    np.testing.assert_array_equal(played[1].actions, [1, 1, 1])


def test_steps_are_counted_as_they_are_made():
    environments, actor = make([[2], [3]])
    counts = []
    EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 2, on_step=counts.append)
    assert counts == [2, 4, 5]


def test_where_the_time_goes_is_told():
    environments, actor = make([[3]])
    actor.select_action = lambda timesteps, active: (time.sleep(0.01), np.array([0]))[1]
    loop = EnvironmentLoop(BatchedEnvironment(environments))
    start = time.perf_counter()
    loop.run(actor, 2)
    whole = time.perf_counter() - start
    assert loop.seconds["policy"] >= 6 * 0.01
    assert loop.seconds["environment"] > 0 and loop.seconds["replay"] > 0
    assert sum(loop.seconds.values()) <= whole


def stop_after(questions: int):
    """Says stop once it was asked so often."""
    answers = iter([False] * questions)
    return lambda: next(answers, True)


@pytest.mark.parametrize("questions", range(12))
def test_a_stop_anywhere_goes_on_where_it_was(questions):
    lengths = [[3, 2], [5]]
    whole, reference = make(lengths)
    expected = EnvironmentLoop(BatchedEnvironment(whole)).run(reference, 4)

    cut, actor = make(lengths)
    loop = EnvironmentLoop(BatchedEnvironment(cut), stop_after(questions))
    try:
        episodes = loop.run(actor, 4)
    except Interrupted:
        state = copy.deepcopy(loop.state())
        again, resumed = make(lengths)
        loop = EnvironmentLoop(BatchedEnvironment(again))
        loop.restore(state, resumed)
        for row, calls in resumed.rehearsed.items():
            assert calls == list(range(questions - len(calls) + 1, questions + 1)), row
        episodes = loop.run(resumed, 4)
        assert resumed.calls == reference.calls - actor.calls, "known actions are not asked for"
    assert episodes == expected


def test_the_same_loop_goes_on_after_a_stop():
    environments, actor = make([[3], [5]])
    loop = EnvironmentLoop(
        BatchedEnvironment(environments), iter([False, True, *[False] * 9]).__next__
    )
    with pytest.raises(Interrupted):
        loop.run(actor, 2)
    assert [episode.length for episode in loop.run(actor, 2)] == [3, 5]
    assert [environment.started for environment in environments] == [1, 1]


def test_what_is_undone_has_never_begun():
    environments, actor = make([[3], [5]])
    actor.calls = 4
    loop = EnvironmentLoop(BatchedEnvironment(environments), stop_after(2))
    with pytest.raises(Interrupted):
        undone_when_interrupted(loop, actor, lambda: loop.run(actor, 2))
    assert actor.abandoned and actor.calls == 4
    assert [environment.started for environment in environments] == [0, 0]
    assert loop.state()["rows"] == [None, None]


def test_a_rollout_gives_each_environment_as_many_rows_and_goes_on():
    environments, actor = make([[2], [5]])
    loop = EnvironmentLoop(BatchedEnvironment(environments))
    # Rows of the first environment: step, step, last, step, step, last.
    ended, steps = loop.rollout(actor, 3)
    assert [episode.length for episode in ended] == [2] and steps == 2 + 3
    assert actor.seen[0] == [("first", 0), (0, 1), (0, 2), ("first", 0)]
    ended, steps = loop.rollout(actor, 3)
    assert [episode.length for episode in ended] == [2, 5] and steps == 2 + 2
    assert actor.seen[1] == [("first", 0), *((1, t) for t in range(1, 6)), ("first", 0)]
    assert actor.flushed


@pytest.mark.parametrize("row", [0, 1])
def test_an_episode_whose_last_step_a_stop_kept_from_being_written_is_over_at_the_resume(row):
    environments, actor = make([[2], [2]])
    loop, observe = EnvironmentLoop(BatchedEnvironment(environments)), actor.observe

    def blocked(i, step):
        if i == row and step.timestep.last():
            raise Interrupted
        observe(i, step)

    actor.observe = blocked
    with pytest.raises(Interrupted):
        loop.run(actor, 4)
    state = copy.deepcopy(loop.state())
    environments, resumed = make([[2], [2]])
    loop = EnvironmentLoop(BatchedEnvironment(environments))
    loop.restore(state, resumed)
    assert [episode.length for episode in loop.run(resumed, 4)] == [2, 2, 2, 2]
    assert len(resumed.rehearsed[row]) == 2


def test_a_rollout_that_is_resumed_goes_on_within_its_episodes():
    whole, reference = make([[4, 2], [5]])
    loop = EnvironmentLoop(BatchedEnvironment(whole))
    expected = [loop.rollout(reference, 3) for _ in range(4)]

    environments, actor = make([[4, 2], [5]])
    loop = EnvironmentLoop(BatchedEnvironment(environments))
    found = [loop.rollout(actor, 3)]
    for _ in range(3):
        state = copy.deepcopy(loop.state())
        environments, actor = make([[4, 2], [5]])
        loop = EnvironmentLoop(BatchedEnvironment(environments))
        loop.restore(state, actor)
        found.append(loop.rollout(actor, 3))
    assert found == expected


def test_a_stop_comes_between_rollouts():
    environments, actor = make([[4]])
    loop = EnvironmentLoop(BatchedEnvironment(environments), stop_after(1))
    loop.rollout(actor, 3)
    with pytest.raises(Interrupted):
        loop.rollout(actor, 3)
    assert environments[0].steps == 3


def test_what_is_no_picture_is_drawn_where_it_is_recorded():
    environments, actor = make([[2], [2]])
    played = EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 2, record=1)
    assert played[1].frames is None
    assert played[0].frames.shape[0] == 3 and played[0].frames.dtype == np.uint8
    assert [frame.max() for frame in played[0].frames] == [0, 1, 2]


def test_an_episode_that_cannot_be_drawn_is_played_all_the_same(monkeypatch):
    def refuse(self, height, width):
        raise UserError("no renderer")

    monkeypatch.setattr(Counting, "render", refuse)
    environments, actor = make([[2]])
    (episode,) = EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 1, record=1)
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
    (episode,) = EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 1, record=1)
    assert episode.length == 4 and len(episode.observations) == 5 and asked == [0, 1]
    line = "warning: no films: the context is lost; everything else goes on\n"
    assert capfd.readouterr().err == line


def test_nests_of_observations_are_recorded_leaf_by_leaf_and_filmed():
    game = board_game(seed=0, opponent="random")
    actor = Actor(board.BoardPolicy(), 1, seed=0)
    (episode,) = EnvironmentLoop(BatchedEnvironment([game])).run(actor, 1, record=1)
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
        actor.select_action = lambda timesteps, active: np.array([0])
        actor.observe = actor.observe_first = lambda *_: None
        (episode,) = EnvironmentLoop(BatchedEnvironment(environments)).run(actor, 1, record=1)
        assert episode.frames.shape == (2, *filmed, 3)
