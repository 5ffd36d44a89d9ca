"""IMPALA (Espeholt et al. 2018): an actor-critic that learns from a queue, corrected by V-trace."""

from agents.impala.builder import ImpalaBuilder
from agents.impala.config import ImpalaConfig

__all__ = ["ImpalaBuilder", "ImpalaConfig"]
