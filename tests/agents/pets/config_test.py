"""Protects PETS' settings: what cannot be meant is refused in one line."""

from __future__ import annotations

import pytest

from agents.pets import PETSConfig
from tests.agents.config_contract import ConfigContract, message_of


class TestPETSConfig(ConfigContract):
    config = PETSConfig


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"holdout_share": 1.0}, "holdout_share = 1.0; expected at least 0 and less than 1"),
        ({"mppi_temperature": 0.0}, "mppi_temperature = 0.0; expected more than 0"),
        (
            {"weight_decays": [1e-4]},
            "weight_decays = [0.0001]; expected 4 numbers, one for each layer",
        ),
        (
            {"hidden_layers": [4] * 16},
            f"hidden_layers = {[4] * 16}; expected at most 15 layers",
        ),
        (
            {"min_log_variance": 0.5},
            "min_log_variance = 0.5; expected less than max_log_variance, which is 0.5",
        ),
        (
            {"patience": 2},
            "patience = 2; expected None, or a holdout_share above 0 to judge by",
        ),
        (
            {"planning_elites": 401},
            "planning_elites = 401; expected at most planning_candidates, which is 400",
        ),
        (
            {"planning_precision": "bfloat16", "planning_backend": "tensorflow"},
            "planning_precision = 'bfloat16'; expected 'float32' "
            "with planning_backend 'tensorflow'",
        ),
        (
            {"particles": 21},
            "particles = 21; expected a multiple of ensemble_size, which is 5, for TSinf",
        ),
    ],
)
def test_what_does_not_fit_is_named(values: dict, expected: str):
    assert message_of(PETSConfig, **values) == f"PETSConfig.{expected}"
