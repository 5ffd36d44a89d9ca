"""AlphaGo (Silver et al. 2016)."""

from agents.alphago.builder import AlphaGoBuilder
from agents.alphago.config import AlphaGoConfig

__all__ = ["AlphaGoBuilder", "AlphaGoConfig"]
