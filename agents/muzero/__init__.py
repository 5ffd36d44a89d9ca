"""MuZero (Schrittwieser et al. 2020) and MuZero Reanalyze."""

from agents.muzero.builder import MuZeroBuilder
from agents.muzero.config import MuZeroConfig

__all__ = ["MuZeroBuilder", "MuZeroConfig"]
