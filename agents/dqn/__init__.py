"""DQN (Mnih et al. 2015): Q-learning from replay, with a target network."""

from agents.dqn.builder import DQNBuilder
from agents.dqn.config import DQNConfig

__all__ = ["DQNBuilder", "DQNConfig"]
