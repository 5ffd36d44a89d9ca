"""REINFORCE (Williams 1992): follows the return's gradient over whole episodes."""

from agents.reinforce.builder import ReinforceBuilder
from agents.reinforce.config import ReinforceConfig

__all__ = ["ReinforceBuilder", "ReinforceConfig"]
