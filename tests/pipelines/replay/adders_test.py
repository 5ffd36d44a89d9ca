"""Protects what stands between actor and adder: whole episodes, copies, a resume's rehearsal."""

from __future__ import annotations

from types import SimpleNamespace

import dm_env
import numpy as np
import pytest
from acme.adders import reverb as adders

from agents.actor import Step
from agents.tables import make_table
from pipelines.replay.adders import EpisodeBuffer, StepAdder
from pipelines.replay.server import Replay
from tests.pipelines import episodes


@pytest.fixture
def replay():
    replay = Replay([episodes.table(sampler="fifo", max_times_sampled=1)])
    yield replay
    replay.close()


def test_an_episode_enters_the_table_only_with_its_last_step(replay):
    buffer = episodes.buffer(replay.client)
    first, *rest = episodes.steps(12)
    buffer.add_first(first)
    for timestep in rest[:-1]:
        buffer.add(np.zeros(2, np.float32), timestep)
    assert (replay.size(episodes.TABLE), len(buffer)) == (0, 11)
    buffer.add(np.zeros(2, np.float32), rest[-1])
    assert (replay.size(episodes.TABLE), len(buffer)) == (3, 0)


def test_an_episode_whose_writing_a_stop_has_cut_is_written_at_the_resume(replay):
    buffer = episodes.buffer(replay.client)
    first, *rest = episodes.steps(12)
    steps = [Step(np.zeros(2, np.float32), (), timestep) for timestep in rest]
    buffer.rehearse(first, steps[:-1])
    assert (replay.size(episodes.TABLE), len(buffer)) == (0, 11)
    buffer.rehearse(first, steps)
    assert (replay.size(episodes.TABLE), len(buffer)) == (3, 0)


def test_reset_and_a_new_first_step_discard_an_unfinished_episode(replay):
    buffer = episodes.buffer(replay.client)
    first, second, *_ = episodes.steps(12, value=100)
    for _ in range(2):
        buffer.add_first(first)
        buffer.add(np.zeros(2, np.float32), second)
    buffer.reset()
    with pytest.raises(ValueError, match="add comes after add_first"):
        buffer.add(np.zeros(2, np.float32), second)
    episodes.add_episode(buffer, actions=4)
    (item,) = episodes.items(replay.client, 1)
    np.testing.assert_array_equal(item.observation[:, 0, 0, 0], [0, 1, 2, 3, 4])


def test_an_unfinished_episode_of_one_environment_stays_out_of_anothers(replay):
    adder = adders.SequenceAdder(
        replay.client, episodes.T, episodes.T, priority_fns={episodes.TABLE: None}
    )
    one, other = EpisodeBuffer(adder), EpisodeBuffer(adder)
    first, second, *_ = episodes.steps(4, value=100)
    one.add_first(first)
    one.add(np.zeros(2, np.float32), second)
    episodes.add_episode(other, actions=4)
    (item,) = episodes.items(replay.client, 1)
    np.testing.assert_array_equal(item.observation[:, 0, 0, 0], [0, 1, 2, 3, 4])
    np.testing.assert_array_equal(item.start_of_episode, [True, False, False, False, False])


def test_the_buffer_keeps_what_a_step_held_when_it_was_added(replay):
    buffer = episodes.buffer(replay.client)
    first, *rest = episodes.steps(4)
    action = np.zeros(2, np.float32)
    buffer.add_first(first)
    first.observation.fill(255)
    for t, timestep in enumerate(rest):
        action.fill(t)
        buffer.add(action, timestep)
        timestep.observation.fill(255)
    (item,) = episodes.items(replay.client, 1)
    np.testing.assert_array_equal(item.observation[:4, 0, 0, 0], [0, 1, 2, 3])
    np.testing.assert_array_equal(item.action[:, 0], [0, 1, 2, 3, 0])


def test_the_buffer_keeps_nests_as_they_were_when_they_were_added():
    written = []
    noting = SimpleNamespace(
        add_first=lambda timestep: written.append(timestep.observation),
        add=lambda action, timestep, extras: written.append((timestep.observation, extras)),
    )
    board, visits = np.zeros(2), np.zeros(3)
    buffer = EpisodeBuffer(noting)
    buffer.add_first(dm_env.restart({"board": board}))
    board.fill(1)
    buffer.add(0, dm_env.transition(0.0, {"board": board}), {"visits": visits})
    visits.fill(1)
    board.fill(2)
    buffer.add(0, dm_env.termination(0.0, {"board": board}), {"visits": visits})
    board.fill(3)
    visits.fill(3)
    first, (second, before), (third, after) = written
    assert [step["board"][0] for step in (first, second, third)] == [0, 1, 2]
    assert [extras["visits"][0] for extras in (before, after)] == [0, 1]


@pytest.mark.parametrize(("terminal", "last_discount"), [(True, 0.0), (False, 1.0)])
def test_a_short_episode_is_padded_and_says_how_it_ended(replay, terminal, last_discount):
    episodes.add_episode(episodes.buffer(replay.client), actions=2, terminal=terminal, value=10)
    (item,) = episodes.items(replay.client, 1)
    np.testing.assert_array_equal(item.observation[:, 0, 0, 0], [10, 11, 12, 0, 0])
    np.testing.assert_array_equal(item.action[:, 0], [10, 11, 0, 0, 0])
    np.testing.assert_array_equal(item.reward, [11, 12, 0, 0, 0])
    np.testing.assert_array_equal(item.discount, [1, last_discount, 0, 0, 0])
    np.testing.assert_array_equal(item.start_of_episode, [True, False, False, False, False])


def as_steps(timesteps: list[dm_env.TimeStep]) -> list[Step]:
    return [Step(np.full(2, t, np.float32), {}, timestep) for t, timestep in enumerate(timesteps)]


def test_a_rehearsed_episode_is_written_as_if_it_had_never_been_cut(replay):
    first, *rest = episodes.steps(12, value=3)
    whole, cut = episodes.buffer(replay.client), episodes.buffer(replay.client)
    episodes.add_episode(whole, actions=12, value=3)
    expected = episodes.items(replay.client, 3)
    steps = [Step(np.full(2, 3 + t, np.float32), {}, s) for t, s in enumerate(rest)]
    cut.rehearse(first, steps[:7])
    assert len(cut) == 7 and replay.size(episodes.TABLE) == 0
    for step in steps[7:]:
        cut.add(step.action, step.timestep)
    found = episodes.items(replay.client, 3)
    for one, other in zip(expected, found, strict=True):
        for mine, theirs in zip(one, other, strict=True):
            np.testing.assert_array_equal(mine, theirs)


def transitions() -> Replay:
    signature = adders.NStepTransitionAdder.signature(episodes._SPEC)
    return Replay([make_table("transitions", signature, 100, sampler="fifo", max_times_sampled=1)])


@pytest.mark.parametrize("known", [0, 1, 2, 5])
def test_rehearsed_steps_make_no_items_and_the_next_ones_know_them(known):
    replay = transitions()
    first, *rest = episodes.steps(6)

    def make():
        return StepAdder(
            lambda: adders.NStepTransitionAdder(
                replay.client, 3, 0.5, priority_fns={"transitions": None}, max_in_flight_items=0
            ),
            replay.client,
        )

    def rewards(count: int) -> list[float]:
        sampled = replay.client.sample_items("transitions", count)
        return [float(sample.data.reward) for sample in sampled]

    whole, steps = make(), as_steps(rest)
    whole.add_first(first)
    for step in steps:
        whole.add(step.action, step.timestep)
    expected = rewards(replay.size("transitions"))

    before, after = make(), make()
    before.add_first(first)
    for step in steps[:known]:
        before.add(step.action, step.timestep)
    written = replay.size("transitions")
    found = rewards(written) if written else []
    after.rehearse(first, steps[:known])
    assert replay.size("transitions") == 0
    for step in steps[known:]:
        after.add(step.action, step.timestep)
    found += rewards(replay.size("transitions"))
    assert found == expected
    replay.close()
