"""Protects the batched protocol: each environment's own steps, no hidden reset, equal specs."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.environments import BatchedEnvironment, classic_control, make_environment_spec
from tests.pipelines.environments.environment_contract import assert_same_episode

SEEDS = (1, 2, 3)


def make_batch() -> BatchedEnvironment:
    return BatchedEnvironment([classic_control(seed=seed) for seed in SEEDS])


def play_steps(batch: BatchedEnvironment, num_steps: int) -> list[list]:
    """Returns the timesteps of each environment, [B][num_steps + 1]."""
    rng = np.random.RandomState(0)
    columns = [batch.reset()]
    for _ in range(num_steps):
        columns.append(batch.step(rng.randint(2, size=batch.batch_size)))
    return [list(row) for row in zip(*columns, strict=True)]


def test_each_element_is_what_its_environment_gives_alone():
    num_steps = 60
    rows = play_steps(make_batch(), num_steps)
    rng = np.random.RandomState(0)
    actions = [rng.randint(2, size=len(SEEDS)) for _ in range(num_steps)]
    for index, seed in enumerate(SEEDS):
        environment = classic_control(seed=seed)
        alone = [environment.reset(), *(environment.step(a[index]) for a in actions)]
        assert_same_episode(rows[index], alone)


def test_last_is_followed_by_first_and_the_others_go_on():
    rows = play_steps(make_batch(), 100)
    ends = [t for t, timestep in enumerate(rows[0][:-1]) if timestep.last()]
    assert ends
    for t in ends:
        assert rows[0][t + 1].first()
    assert any(not row[ends[0] + 1].first() for row in rows[1:])


def test_one_environment_is_reset_alone():
    batch = make_batch()
    batch.reset()
    assert batch.reset(1).first()
    assert [timestep.mid() for timestep in batch.step([0, 0, 0])] == [True, True, True]


def test_a_restored_random_state_gives_the_uninterrupted_episodes():
    batch = make_batch()
    play_steps(batch, 20)
    saved = batch.random_state()
    expected = play_steps(batch, 80)
    resumed = BatchedEnvironment([classic_control(seed=9) for _ in SEEDS])
    resumed.set_random_state(saved)
    for ours, theirs in zip(play_steps(resumed, 80), expected, strict=True):
        assert_same_episode(ours, theirs)


def test_specs_and_name_are_those_of_one_environment():
    batch = make_batch()
    assert make_environment_spec(batch) == make_environment_spec(batch.environments[0])
    assert batch.name == "gymnasium/CartPole-v1"
    assert batch.batch_size == 3


def test_environments_that_differ_are_refused():
    mixed = [classic_control(seed=0), classic_control(seed=0, task="Acrobot-v1")]
    with pytest.raises(ValueError, match=r"observation_spec of environment 1 is .*, expected"):
        BatchedEnvironment(mixed)


def test_no_environment_is_refused():
    with pytest.raises(ValueError, match="expected at least one"):
        BatchedEnvironment([])


@pytest.mark.parametrize("count", [2, 4])
def test_another_number_of_actions_or_states_is_refused(count):
    batch = make_batch()
    batch.reset()
    with pytest.raises(ValueError, match=f"got {count} actions, expected 3"):
        batch.step([0] * count)
    with pytest.raises(ValueError, match=f"got {count} random states, expected 3"):
        batch.set_random_state([{}] * count)
    assert all(timestep.mid() for timestep in batch.step([0] * 3))


def test_closing_closes_every_environment():
    batch = make_batch()
    closed = []
    for environment in batch.environments:
        environment.close = lambda: closed.append(True)
    batch.close()
    assert len(closed) == 3
