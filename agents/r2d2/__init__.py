"""R2D2 (Kapturowski et al. 2019): Q-learning with a memory, from replayed sequences."""

from agents.r2d2.builder import R2D2Builder
from agents.r2d2.config import R2D2Config

__all__ = ["R2D2Builder", "R2D2Config"]
