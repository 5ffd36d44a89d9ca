"""Makes MuZero's parts, with Reanalyze where the configuration asks for it."""

from __future__ import annotations

import gin
import numpy as np
import tree
from acme import specs

from agents.averaging import OnlineAndActing
from agents.boards.observations import rules_of, split
from agents.builder import Role, tensor_spec
from agents.muzero.acting import MuZeroPolicy
from agents.muzero.config import MuZeroConfig
from agents.muzero.learning import MuZeroLearner
from agents.muzero.networks import MuZeroNetwork
from agents.muzero.reanalyze import Reanalyzer
from agents.searching.builder import SearchingBuilder


@gin.configurable
class MuZeroBuilder(SearchingBuilder):
    """Schrittwieser et al. 2020; every setting is in `MuZeroConfig`."""

    name = "muzero"

    def __init__(self, config: MuZeroConfig | None = None) -> None:
        config = config or MuZeroConfig()
        super().__init__(config)
        self.item_length = config.length
        self.table_options = {"priority_exponent": config.priority_exponent}
        self.adder_options = {
            "context": config.context,
            "discount": config.discount,
            "n_step": config.n_step,
            "min_priority": config.min_priority,
        }

    def build_networks(self, spec: specs.EnvironmentSpec) -> OnlineAndActing:
        """Makes representation, dynamics and prediction for an environment of discrete actions."""
        self._check(spec)
        seen, _ = split(spec.observations)
        network = MuZeroNetwork(self.config, spec.actions.num_values, tensor_spec(seen))
        return OnlineAndActing(network, self.config.average_decay)

    def make_learner(self, networks: OnlineAndActing, seed: int) -> MuZeroLearner:
        """See `MuZeroLearner`."""
        return MuZeroLearner(self.config, networks, seed)

    def make_transform(self, networks: OnlineAndActing, seed: int) -> Reanalyzer | None:
        """Reanalyze, or values anew alone, where the configuration asks for it."""
        if not self.config.refreshes:
            return None
        return Reanalyzer(self.config, networks.online, seed)

    def make_policy(
        self, networks: OnlineAndActing, spec: specs.EnvironmentSpec, role: Role
    ) -> MuZeroPolicy:
        """See `MuZeroPolicy`; evaluation takes the best move, and adds no noise."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return MuZeroPolicy(self.config, networks.acting, observations, actions, role.evaluation)

    def _check(self, spec: specs.EnvironmentSpec) -> None:
        if not isinstance(spec.actions, specs.DiscreteArray):
            raise ValueError(f"MuZero needs discrete actions, got {spec.actions}")
        if rules_of(spec.observations) is not None:
            raise ValueError(
                "MuZero learns the rules and sees planes, got packed positions; "
                "rules_game.planes = True shows planes"
            )
        seen, _ = split(spec.observations)
        if not isinstance(seen, specs.Array):
            names = sorted(map(str, tree.flatten(spec.observations)))
            raise ValueError(f"MuZero needs one array to look at, got {names}")
        if self.config.torso != "mlp" and len(seen.shape) != 3:
            raise ValueError(
                f"MuZeroConfig.torso = {self.config.torso!r} takes images or boards [height, "
                f"width, planes], got shape {list(seen.shape)}; 'mlp' takes every shape"
            )
        self._check_actions(spec.actions.num_values, seen.shape)

    def _check_actions(self, num_actions: int, shape: tuple[int, ...]) -> None:
        """Checks that actions fit the board as `action_planes` lays them out."""
        kind = self.config.action_planes
        cells = int(np.prod(shape[:2]))
        fits = {"columns": num_actions == shape[-2:][0], "cells": num_actions >= cells}
        if self.config.torso == "board" and not fits.get(kind, True):
            raise ValueError(
                f"MuZeroConfig.action_planes = {kind!r} does not fit {num_actions} actions on a "
                f"board of {shape[0]}×{shape[1]}; 'tiled' fits every game"
            )
