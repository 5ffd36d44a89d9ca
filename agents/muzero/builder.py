"""Makes MuZero's parts, with Reanalyze where the configuration asks for it."""

from __future__ import annotations

import gin
import numpy as np
import reverb
import tree
from acme import specs

from agents.boards.observations import split
from agents.builder import DatasetOptions, Role, Schedule, SingleStageBuilder, tensor_spec
from agents.muzero.acting import MuZeroPolicy
from agents.muzero.config import MuZeroConfig
from agents.muzero.learning import MuZeroLearner
from agents.muzero.networks import MuZeroNetwork
from agents.muzero.reanalyze import Reanalyzer
from agents.policy import RandomPolicy
from agents.searching.descent import OnlineAndActing
from agents.searching.policy import random_search
from agents.searching.positions import PositionAdder, recorded, signature
from agents.tables import make_table

_TABLE = "positions"


@gin.configurable
class MuZeroBuilder(SingleStageBuilder):
    """Schrittwieser et al. 2020; every setting is in `MuZeroConfig`."""

    name = "muzero"
    extras = ("search_policy", "search_value", "searched_at")

    def __init__(self, config: MuZeroConfig | None = None) -> None:
        self.config = config = config or MuZeroConfig()
        self.schedule = Schedule(
            seed_episodes=config.seed_episodes,
            updates_per_episode=config.updates_per_episode,
            updates_per_step=config.updates_per_step,
        )
        self.dataset_options = DatasetOptions(
            _TABLE, config.batch_size, prioritized=config.replay_sampler == "prioritized"
        )

    def build_networks(self, spec: specs.EnvironmentSpec) -> OnlineAndActing:
        """Makes representation, dynamics and prediction for an environment of discrete actions."""
        self._check(spec)
        seen, _ = split(spec.observations)
        network = MuZeroNetwork(self.config, spec.actions.num_values, tensor_spec(seen))
        return OnlineAndActing(network, self.config.average_decay)

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """One table; an item is a position with what followed."""
        config = self.config
        return [
            make_table(
                _TABLE,
                signature(spec, config.length, recorded(spec.actions.num_values)),
                config.replay_capacity,
                sampler=config.replay_sampler,
                priority_exponent=config.priority_exponent,
            )
        ]

    def make_adder(self, client: reverb.Client) -> PositionAdder:
        """See `PositionAdder`."""
        config = self.config
        return PositionAdder(
            client,
            _TABLE,
            length=config.length,
            context=config.context,
            discount=config.discount,
            n_step=config.n_step,
            min_priority=config.min_priority,
        )

    def make_learner(self, networks: OnlineAndActing, seed: int) -> MuZeroLearner:
        """See `MuZeroLearner`."""
        return MuZeroLearner(self.config, networks, seed)

    def make_transform(self, networks: OnlineAndActing, seed: int) -> Reanalyzer | None:
        """Reanalyze, where the configuration asks for it."""
        if self.config.reanalyze_fraction == 0:
            return None
        return Reanalyzer(self.config, networks.online, seed)

    def make_policy(
        self, networks: OnlineAndActing, spec: specs.EnvironmentSpec, role: Role
    ) -> MuZeroPolicy:
        """See `MuZeroPolicy`; evaluation takes the best move, and adds no noise."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return MuZeroPolicy(self.config, networks.acting, observations, actions, role.evaluation)

    def make_seed_policy(self, spec: specs.EnvironmentSpec) -> RandomPolicy:
        """Plays at random among the legal actions, and records what a search would."""
        return RandomPolicy(tensor_spec(spec.observations), spec.actions, random_search)

    def _check(self, spec: specs.EnvironmentSpec) -> None:
        if not isinstance(spec.actions, specs.DiscreteArray):
            raise ValueError(f"MuZero needs discrete actions, got {spec.actions}")
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
