from __future__ import annotations

import pytest

from agents.reinforce import ReinforceConfig
from agents.reinforce.config import _AT_LEAST_ONE, _AT_LEAST_ZERO
from tests.agents.config_contract import ConfigContract, message_of


class TestReinforceConfig(ConfigContract):
    config = ReinforceConfig
    at_least_one, at_least_zero = _AT_LEAST_ONE, _AT_LEAST_ZERO


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"discount": 1.1}, "discount = 1.1; expected 0 to 1"),
        ({"discount": float("nan")}, "discount = nan; expected 0 to 1"),
        ({"initial_stddev": 0.0}, "initial_stddev = 0.0; expected more than 0"),
    ],
)
def test_values_that_do_not_fit_are_named_in_one_line(values, message: str):
    assert message_of(ReinforceConfig, **values) == f"ReinforceConfig.{message}"
