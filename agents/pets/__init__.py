"""PETS (Chua et al. 2018): probabilistic ensembles with trajectory sampling."""

from agents.pets.builder import PETSBuilder
from agents.pets.config import PETSConfig

__all__ = ["PETSBuilder", "PETSConfig"]
