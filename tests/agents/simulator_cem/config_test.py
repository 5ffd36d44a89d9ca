"""Protects the planner's settings: what cannot be meant is refused in one line."""

from __future__ import annotations

from agents.simulator_cem import SimulatorCEMConfig
from tests.agents.config_contract import ConfigContract, message_of


class TestSimulatorCEMConfig(ConfigContract):
    config = SimulatorCEMConfig


def test_elites_are_among_the_candidates():
    assert message_of(SimulatorCEMConfig, planning_elites=1001) == (
        "SimulatorCEMConfig.planning_elites = 1001; expected at most planning_candidates, which is "
        "1000"
    )
