from __future__ import annotations

import pytest

from agents.r2d2 import R2D2Builder, R2D2Config
from tests.agents.actor_critic import tiny as actor_critic
from tests.agents.config_contract import ConfigContract, message_of


class TestR2D2Config(ConfigContract):
    config = R2D2Config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sequence_length": 40}, "sequence_length = 40; expected more than burn_in (40)"),
        ({"n_step": 81}, "n_step = 81; expected at most 80, what burn_in (40) leaves of 120 rows"),
        ({"period": 81}, "period = 81; expected at most 80, what burn_in (40) leaves of 120 rows"),
        ({"importance_exponents": (1.0,)}, "importance_exponents = (1.0,); expected two numbers"),
    ],
)
def test_values_that_do_not_fit_are_named_in_one_line(values, message: str):
    assert message_of(R2D2Config, **values).startswith(f"R2D2Config.{message}")


def test_an_environment_that_does_not_fit_is_refused_in_one_line():
    spec = actor_critic.spec(actor_critic.CONTINUOUS)
    with pytest.raises(ValueError, match=r"^R2D2 needs discrete actions"):
        R2D2Builder().make_networks(spec, seed=0)
