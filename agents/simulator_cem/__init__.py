"""The cross-entropy method over the simulator's own state: an upper bound for learned models."""

from agents.simulator_cem.builder import SimulatorCEMBuilder
from agents.simulator_cem.config import SimulatorCEMConfig

__all__ = ["SimulatorCEMBuilder", "SimulatorCEMConfig"]
