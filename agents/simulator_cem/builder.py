"""Makes the planner over the simulator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gin

from agents.builder import PlannerBuilder, tensor_spec, unit_actions
from agents.simulator_cem.acting import SimulatorCEMPolicy
from agents.simulator_cem.config import SimulatorCEMConfig


@gin.configurable
class SimulatorCEMBuilder(PlannerBuilder):
    """Every setting is in `SimulatorCEMConfig`."""

    name = "simulator_cem"

    def __init__(self, config: SimulatorCEMConfig | None = None) -> None:
        self.config = config or SimulatorCEMConfig()

    def make_policy(self, environments: Sequence[Any]) -> SimulatorCEMPolicy:
        """Plans in the simulators of `environments`, which offer `simulator()`."""
        first = environments[0]
        actions = unit_actions(first.action_spec(), "simulator_cem")
        if not hasattr(first, "simulator"):
            raise ValueError(
                f"simulator_cem needs an environment that offers its simulator; {first.name} does "
                "not, control_suite does"
            )
        return SimulatorCEMPolicy(
            self.config,
            [environment.simulator() for environment in environments],
            tensor_spec(first.observation_spec()),
            tensor_spec(actions),
        )
