from __future__ import annotations

import pytest

from agents.reinforce import ReinforceConfig
from tests.agents.config_contract import ConfigContract, message_of


class TestReinforceConfig(ConfigContract):
    config = ReinforceConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"discount": 1.1}, "discount = 1.1; expected at least 0 and at most 1"),
        ({"discount": float("nan")}, "discount = nan; expected a finite number that float32 holds"),
        ({"initial_stddev": 0.0}, "initial_stddev = 0.0; expected more than 0"),
    ],
)
def test_values_that_do_not_fit_are_named_in_one_line(values, message: str):
    assert message_of(ReinforceConfig, **values) == f"ReinforceConfig.{message}"
