"""A2C: the advantage actor-critic of A3C (Mnih et al. 2016), with all environments in step."""

from agents.a2c.builder import A2CBuilder
from agents.a2c.config import A2CConfig

__all__ = ["A2CBuilder", "A2CConfig"]
