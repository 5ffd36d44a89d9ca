from __future__ import annotations

import pytest

from agents.dqn import DQNBuilder, DQNConfig
from tests.agents.config_contract import ConfigContract, message_of
from tests.agents.dqn import tiny


class TestDQNConfig(ConfigContract):
    config = DQNConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"exploration": (0.5,)}, "exploration = (0.5,); expected two numbers, the first and last"),
        ({"kernels": (8, 4)}, "kernels = (8, 4); expected 3 numbers, one for each of channels"),
        ({"strides": (1,)}, "strides = (1,); expected 3 numbers, one for each of channels"),
    ],
)
def test_values_that_do_not_fit_are_named_in_one_line(values, message: str):
    assert message_of(DQNConfig, **values).startswith(f"DQNConfig.{message}")


@pytest.mark.parametrize(
    ("settings", "seen", "line"),
    [
        (DQNConfig(), "mlp", r"takes images \[height, width, channels\], got shape \[3\]; 'mlp'"),
        (DQNConfig(), "atari", "do not fit the image: 4 of 2 pixels"),
        (DQNConfig(torso="mlp"), None, "DQN needs discrete actions"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_in_one_line(settings, seen, line: str):
    spec = tiny.spec(seen or "mlp")
    if seen is None:
        spec = spec._replace(actions=spec.observations)
    with pytest.raises(ValueError, match=line):
        DQNBuilder(settings).make_networks(spec, seed=0)
