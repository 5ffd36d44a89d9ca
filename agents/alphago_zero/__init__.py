"""AlphaGo Zero (Silver et al. 2017)."""

from agents.alphago_zero.builder import AlphaGoZeroBuilder
from agents.alphago_zero.config import AlphaGoZeroConfig

__all__ = ["AlphaGoZeroBuilder", "AlphaGoZeroConfig"]
