"""Makes AlphaZero's parts, for games whose rules are ops and for those that the host plays."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import gin
import numpy as np
import tensorflow as tf
from acme import specs

from agents.alphazero.acting import AlphaZeroPolicy
from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.host_acting import HostAlphaZeroPolicy
from agents.alphazero.host_export import (
    AlphaZeroNetworkPolicy,
    LoadedNetwork,
    settings_of_play,
)
from agents.alphazero.learning import AlphaZeroLearner
from agents.alphazero.networks import AlphaZeroNetwork
from agents.averaging import OnlineAndActing
from agents.boards import symmetries
from agents.boards.observations import rules_of, split
from agents.builder import Role, tensor_spec
from agents.policy import Policy, SavedNetwork
from agents.searching.builder import SearchingBuilder, num_actions


@gin.configurable
class AlphaZeroBuilder(SearchingBuilder):
    """Silver et al. 2018; every setting is in `AlphaZeroConfig`."""

    name = "alphazero"
    item_length = 1
    table_options: ClassVar[dict[str, Any]] = {}
    # A value target is the game's outcome, as its mover sees it.
    adder_options: ClassVar[dict[str, Any]] = {"discount": -1.0, "n_step": None}

    def __init__(self, config: AlphaZeroConfig | None = None) -> None:
        super().__init__(config or AlphaZeroConfig())

    def build_networks(self, spec: specs.EnvironmentSpec) -> OnlineAndActing:
        """Makes the network for a board game, whose rules may come with the observations."""
        self._check(spec)
        rules = rules_of(spec.observations)
        network = AlphaZeroNetwork(self.config, num_actions(spec), planes_shape(spec), rules)
        return OnlineAndActing(network, self.config.average_decay)

    def make_learner(self, networks: OnlineAndActing, seed: int) -> AlphaZeroLearner:
        """See `AlphaZeroLearner`."""
        return AlphaZeroLearner(self.config, networks, seed)

    def make_policy(
        self, networks: OnlineAndActing, spec: specs.EnvironmentSpec, role: Role
    ) -> AlphaZeroPolicy:
        """See `AlphaZeroPolicy`; where the rules are no ops, `HostAlphaZeroPolicy`."""
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        parts = self.config, networks.acting, observations, actions, role.evaluation
        if rules_of(spec.observations) is not None:
            return AlphaZeroPolicy(*parts)
        if not role.simulators:
            raise ValueError(
                "AlphaZero needs the rules: those of rules_game, or an environment with a "
                "simulator, such as board_game"
            )
        return HostAlphaZeroPolicy(*parts, simulators=role.simulators)

    def make_served(self, networks: OnlineAndActing, spec: specs.EnvironmentSpec) -> Policy:
        """The policy with the rules in its graph; where only the host knows them, the network."""
        if rules_of(spec.observations) is not None:
            return self.make_policy(networks, spec, Role(evaluation=True))
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        return AlphaZeroNetworkPolicy(self.config, networks.acting, observations, actions)

    def make_hosted(
        self, saved: SavedNetwork, role: Role, num_simulations: int | None = None
    ) -> HostAlphaZeroPolicy:
        """See `Builder.make_hosted`; without simulators each step is given its positions."""
        settings = settings_of_play(saved.search_settings, num_simulations)
        return HostAlphaZeroPolicy(
            dataclasses.replace(self.config, **settings),
            LoadedNetwork(saved),
            saved.observation_spec,
            saved.action_spec,
            role.evaluation,
            simulators=role.simulators,
        )

    def recorded(self, count: int) -> dict[str, Any]:
        """With resignation also `gave_up`."""
        resigns = self.config.resign_threshold is not None
        return {**super().recorded(count), **({"gave_up": np.bool_(False)} if resigns else {})}

    def random_search(self, legal: tf.Tensor) -> dict[str, tf.Tensor]:
        """Nobody gives up a game of random moves."""
        found = super().random_search(legal)
        if self.config.resign_threshold is not None:
            found["gave_up"] = tf.zeros_like(found["search_value"], tf.bool)
        return found

    def _check(self, spec: specs.EnvironmentSpec) -> None:
        seen, legal = split(spec.observations)
        fits = isinstance(spec.actions, specs.DiscreteArray) and legal is not None
        if not fits or (rules_of(spec.observations) is None and len(seen.shape) != 3):
            raise ValueError(
                "AlphaZero needs a board game, with its planes [height, width, planes] or its "
                f"packed states, and its legal actions; got {spec.observations}"
            )
        config, resigns = type(self.config).__name__, self.config.resign_threshold is not None
        if resigns != (spec.actions.num_values == num_actions(spec) + 1):
            raise ValueError(
                f"{config}.resign_threshold = {self.config.resign_threshold} and the "
                "environment's `resignation` do not fit; expected both or neither"
            )
        if rules_of(spec.observations) is None and self.config.reuse_subtree:
            raise ValueError(
                f"{config}.reuse_subtree needs rules that are ops, those of rules_game; a "
                "search on the host begins anew at each move"
            )
        kind, count = self.config.symmetries, num_actions(spec)
        if why := symmetries.misfit(kind, planes_shape(spec), count):
            raise ValueError(f"{config}.symmetries = {kind!r} does not fit: {why}")


def planes_shape(spec: specs.EnvironmentSpec) -> tuple[int, ...]:
    """What the network sees of a position: H, W, P."""
    rules = rules_of(spec.observations)
    return split(spec.observations)[0].shape if rules is None else rules.observation_shape
