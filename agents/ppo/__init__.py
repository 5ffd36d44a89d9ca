"""PPO (Schulman et al. 2017): several epochs on each batch, and no step too far."""

from agents.ppo.builder import PPOBuilder
from agents.ppo.config import PPOConfig

__all__ = ["PPOBuilder", "PPOConfig"]
