"""Makes the planner over the simulator."""

from __future__ import annotations

import gin
import sonnet as snt
from acme import specs

from agents.builder import PlannerBuilder, Role, tensor_spec, unit_actions
from agents.simulator_cem.acting import SimulatorCEMPolicy
from agents.simulator_cem.config import SimulatorCEMConfig


@gin.configurable
class SimulatorCEMBuilder(PlannerBuilder):
    """Every setting is in `SimulatorCEMConfig`."""

    name = "simulator_cem"

    def __init__(self, config: SimulatorCEMConfig | None = None) -> None:
        self.config = config or SimulatorCEMConfig()

    def make_policy(
        self, networks: snt.Module, spec: specs.EnvironmentSpec, role: Role
    ) -> SimulatorCEMPolicy:
        """Plans in the simulators of the role's rows."""
        actions = unit_actions(spec.actions, "simulator_cem")
        if not role.simulators:
            raise ValueError(
                "simulator_cem needs an environment that offers its simulator; this one does not, "
                "control_suite does"
            )
        return SimulatorCEMPolicy(
            self.config,
            role.simulators,
            tensor_spec(spec.observations),
            tensor_spec(actions),
        )

    def make_served(self, networks: snt.Module, spec: specs.EnvironmentSpec) -> None:
        """None: what it plans with is MuJoCo, which no SavedModel holds."""
        return None
