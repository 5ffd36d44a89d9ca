"""SimPLe (Kaiser et al. 2020): a video model of the game, and a policy that learns inside it."""

from agents.simple.builder import SimPLeBuilder
from agents.simple.config import SimPLeConfig, SimPLePolicyConfig

__all__ = ["SimPLeBuilder", "SimPLeConfig", "SimPLePolicyConfig"]
