"""Protects the environment that waits: contract, its pause, what it lends, bad input."""

from __future__ import annotations

import time

import pytest

from pipelines.environments import board_game, classic_control, waiting
from pipelines.system.errors import UserError
from tests.pipelines.environments.environment_contract import EnvironmentContract, play


class TestCartPoleThatWaits(EnvironmentContract):
    name = "gymnasium/CartPole-v1"

    def make(self, seed):
        return waiting(seed=seed, environment=classic_control, seconds=0.0)


def test_each_step_takes_its_time_but_no_processor():
    environment = waiting(seed=1, environment=classic_control, seconds=0.01)
    start, used = time.monotonic(), time.process_time()
    steps = len(play(environment, action_seed=2)) - 1
    assert time.monotonic() - start >= 0.01 * steps
    assert time.process_time() - used < 0.01 * steps


def test_what_only_some_environments_have_is_lent():
    game = waiting(seed=1, environment=board_game, seconds=0.0)
    assert game.players == 2
    assert game.simulator() is not None
    assert not hasattr(waiting(seed=1, environment=classic_control), "simulator")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, "waiting.environment is None; expected an environment's factory"),
        ({"environment": classic_control, "seconds": -1}, "waiting.seconds is -1; expected 0 to"),
        ({"environment": classic_control, "seconds": "1"}, "waiting.seconds is '1'; expected 0"),
    ],
)
def test_bad_input_is_told_in_one_line(options, line):
    with pytest.raises(UserError, match=line):
        waiting(seed=1, **options)
