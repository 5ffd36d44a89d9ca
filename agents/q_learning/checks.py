"""Whether an environment fits an agent that learns Q."""

from __future__ import annotations

from acme import specs

from agents.builder import single_array
from agents.networks.perception import check_convolutions
from agents.q_learning.config import QConfig


def check_environment(spec: specs.EnvironmentSpec, config: QConfig, agent: str) -> None:
    """Checks that there are one observation, which fits the torso, and discrete actions.

    Raises:
      ValueError: there are not.
    """
    seen = single_array(spec.observations, agent)
    if not isinstance(spec.actions, specs.DiscreteArray):
        raise ValueError(f"{agent} needs discrete actions, got {spec.actions}")
    if config.torso == "atari":
        name = type(config).__name__
        check_convolutions(name, seen.shape, config.kernels, config.strides)
