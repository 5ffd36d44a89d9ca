"""AlphaZero (Silver et al. 2018)."""

from agents.alphazero.builder import AlphaZeroBuilder
from agents.alphazero.config import AlphaZeroConfig

__all__ = ["AlphaZeroBuilder", "AlphaZeroConfig"]
