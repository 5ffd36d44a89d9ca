"""Protects catch: what is drawn, what is rewarded, and that the best return can be had."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.environments import catch
from pipelines.environments.catch import BALL, COLUMNS, EMPTY, PADDLE, WALL
from pipelines.system.errors import UserError
from tests.pipelines.environments.environment_contract import EnvironmentContract, play


class TestCatch(EnvironmentContract):
    name = "pixels/catch"

    def make(self, seed: int):
        return catch(seed=seed, balls=3)


def seen(frame: np.ndarray) -> tuple[int, int, int]:
    """Row and column of the ball, first column of the paddle, in cells inside the walls."""
    cells = frame[::2, ::2, 0]
    (row,), (column,) = np.nonzero(cells == BALL)
    return int(row) - 1, int(column) - 1, int(np.nonzero(cells == PADDLE)[1][0]) - 1


def test_a_frame_is_walls_a_ball_and_a_paddle_of_four_grey_levels():
    frame = catch(seed=1).reset().observation
    assert sorted(np.unique(frame)) == [EMPTY, WALL, PADDLE, BALL]
    assert np.sum(frame == BALL) == 4 and np.sum(frame == PADDLE) == 8
    assert np.all(frame[:2] == WALL) and np.all(frame[:, :2] == WALL)


def test_a_ball_falls_a_cell_a_step_and_is_judged_by_where_the_paddle_has_moved():
    environment = catch(seed=2, balls=30)
    timestep, rewards = environment.reset(), []
    rng = np.random.RandomState(0)
    while not timestep.last():
        row, column, paddle = seen(timestep.observation)
        action = rng.randint(3)
        timestep = environment.step(action)
        moved = np.clip(paddle + (0, -1, 1)[action], 0, COLUMNS - 2)
        assert seen(timestep.observation)[2] == moved
        expected = 0 if row < 9 else 1 if column in (moved, moved + 1) else -1
        assert timestep.reward == expected
        if row < 9:
            assert seen(timestep.observation)[:2] == (row + 1, column)
        else:
            assert seen(timestep.observation)[0] == 0
            rewards.append(timestep.reward)
    assert len(rewards) == 30 and {-1, 1} == set(rewards)


def test_whoever_follows_the_ball_has_the_best_return():
    environment = catch(seed=3)
    timestep, total, steps = environment.reset(), 0.0, 0
    while not timestep.last():
        _, column, paddle = seen(timestep.observation)
        timestep = environment.step(1 if column < paddle else 2 if column > paddle + 1 else 0)
        total, steps = total + timestep.reward, steps + 1
    assert total == environment.best_return == 20
    assert (steps, timestep.discount) == (200, 1)


def test_a_random_policy_loses_most_balls():
    environment = catch(seed=4, balls=200)
    total = sum(timestep.reward for timestep in play(environment, 0)[1:])
    assert -160 < total < -80


def test_a_number_of_balls_that_cannot_be_is_answered_in_a_line():
    with pytest.raises(UserError, match=r"^catch\.balls is 0, expected an integer at least 1"):
        catch(seed=0, balls=0)
