"""D4PG (Barth-Maron et al. 2018): a deterministic policy up the gradient of a critic of returns."""

from agents.d4pg.builder import D4PGBuilder
from agents.d4pg.config import D4PGConfig

__all__ = ["D4PGBuilder", "D4PGConfig"]
