"""PlaNet (Hafner et al. 2019): learns latent dynamics from pixels and plans in them."""

from agents.planet.builder import PlaNetBuilder
from agents.planet.config import PlaNetConfig

__all__ = ["PlaNetBuilder", "PlaNetConfig"]
