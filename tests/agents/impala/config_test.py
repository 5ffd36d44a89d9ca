from __future__ import annotations

import pytest

from agents.impala import ImpalaBuilder, ImpalaConfig
from tests.agents.actor_critic import tiny as actor_critic
from tests.agents.config_contract import ConfigContract, message_of
from tests.agents.impala import tiny


class TestImpalaConfig(ConfigContract):
    config = ImpalaConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strides": (1,)}, "strides = (1,); expected 2 numbers, one for each of channels"),
        ({"queue_capacity": 31}, "queue_capacity = 31; expected at least batch_size (32)"),
    ],
)
def test_values_that_do_not_fit_are_named_in_one_line(values, message: str):
    assert message_of(ImpalaConfig, **values).startswith(f"ImpalaConfig.{message}")


@pytest.mark.parametrize(
    ("torso", "spec", "line"),
    [
        ("shallow", tiny.spec("mlp"), r"ImpalaConfig.torso takes images .*, got shape \[3\]"),
        ("deep", tiny.spec("mlp"), r"ImpalaConfig.torso takes images .*, got shape \[3\]"),
        ("shallow", tiny.spec("shallow"), "do not fit the image: 4 of 2 pixels"),
        ("mlp", actor_critic.spec(actor_critic.CONTINUOUS), "IMPALA needs discrete actions"),
    ],
)
def test_an_environment_that_does_not_fit_is_refused_in_one_line(torso, spec, line: str):
    with pytest.raises(ValueError, match=line) as error:
        ImpalaBuilder(ImpalaConfig(torso=torso)).make_networks(spec, seed=0)
    assert "\n" not in str(error.value)
