"""Makes AlphaZero's parts, for games whose rules are ops and for those that the host plays."""

from __future__ import annotations

from typing import Any

import gin
import numpy as np
import reverb
import tensorflow as tf
from acme import specs

from agents.alphazero.acting import AlphaZeroPolicy
from agents.alphazero.config import AlphaZeroConfig
from agents.alphazero.host_acting import HostAlphaZeroPolicy
from agents.alphazero.learning import AlphaZeroLearner
from agents.alphazero.networks import AlphaZeroNetwork
from agents.boards import symmetries
from agents.boards.observations import rules_of, split
from agents.builder import DatasetOptions, Role, Schedule, SingleStageBuilder, tensor_spec
from agents.policy import RandomPolicy
from agents.searching.descent import OnlineAndActing
from agents.searching.policy import random_search
from agents.searching.positions import PositionAdder, recorded, signature
from agents.tables import make_table

_TABLE = "positions"


@gin.configurable
class AlphaZeroBuilder(SingleStageBuilder):
    """Silver et al. 2018; every setting is in `AlphaZeroConfig`."""

    name = "alphazero"

    def __init__(self, config: AlphaZeroConfig | None = None) -> None:
        self.config = config = config or AlphaZeroConfig()
        self.schedule = Schedule(
            seed_episodes=config.seed_episodes,
            updates_per_episode=config.updates_per_episode,
            updates_per_step=config.updates_per_step,
        )
        self.dataset_options = DatasetOptions(_TABLE, config.batch_size)
        self.extras = tuple(self._recorded(1))

    def build_networks(self, spec: specs.EnvironmentSpec) -> OnlineAndActing:
        """Makes the network for a board game, whose rules may come with the observations."""
        self._check(spec)
        rules = rules_of(spec.observations)
        network = AlphaZeroNetwork(self.config, num_actions(spec), planes_shape(spec), rules)
        return OnlineAndActing(network, self.config.average_decay)

    def make_tables(self, spec: specs.EnvironmentSpec, paced: bool = False) -> list[reverb.Table]:
        """One table; an item is a position."""
        config = self.config
        return [
            make_table(
                _TABLE,
                signature(spec, 1, self._recorded(num_actions(spec))),
                config.replay_capacity,
                sampler=config.replay_sampler,
            )
        ]

    def make_adder(self, client: reverb.Client) -> PositionAdder:
        """See `PositionAdder`; a value target is the game's outcome, as its mover sees it."""
        return PositionAdder(client, _TABLE, length=1, discount=-1.0, n_step=None)

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

    def make_served(
        self, networks: OnlineAndActing, spec: specs.EnvironmentSpec
    ) -> AlphaZeroPolicy | None:
        """The policy with the rules in its graph; None: only this process knows them."""
        if rules_of(spec.observations) is None:
            return None
        return self.make_policy(networks, spec, Role(evaluation=True))

    def make_seed_policy(self, spec: specs.EnvironmentSpec) -> RandomPolicy:
        """Plays at random among the legal actions, and records what a search would."""
        return RandomPolicy(tensor_spec(spec.observations), spec.actions, self._random_search)

    def _random_search(self, legal: tf.Tensor) -> dict[str, tf.Tensor]:
        found = random_search(legal)
        if self.config.resign_threshold is not None:
            found["gave_up"] = tf.zeros_like(found["search_value"], tf.bool)
        return found

    def _recorded(self, count: int) -> dict[str, Any]:
        """Zeros of what is recorded of a move, for games of so many actions."""
        resigns = self.config.resign_threshold is not None
        return {**recorded(count), **({"gave_up": np.bool_(False)} if resigns else {})}

    def _check(self, spec: specs.EnvironmentSpec) -> None:
        seen, legal = split(spec.observations)
        fits = isinstance(spec.actions, specs.DiscreteArray) and legal is not None
        if not fits or (rules_of(spec.observations) is None and len(seen.shape) != 3):
            raise ValueError(
                "AlphaZero needs a board game, with its planes [height, width, planes] or its "
                f"packed states, and its legal actions; got {spec.observations}"
            )
        resigns = self.config.resign_threshold is not None
        if resigns != (spec.actions.num_values == num_actions(spec) + 1):
            raise ValueError(
                f"AlphaZeroConfig.resign_threshold = {self.config.resign_threshold} and the "
                "environment's `resignation` do not fit; expected both or neither"
            )
        on_host = rules_of(spec.observations) is None
        if on_host and (self.config.search == "gumbel" or self.config.reuse_subtree):
            raise ValueError(
                "AlphaZeroConfig.search = 'gumbel' and reuse_subtree need rules that are ops, "
                "those of rules_game; a search on the host has neither"
            )
        kind, count = self.config.symmetries, num_actions(spec)
        if why := symmetries.misfit(kind, planes_shape(spec), count):
            raise ValueError(f"AlphaZeroConfig.symmetries = {kind!r} does not fit: {why}")


def num_actions(spec: specs.EnvironmentSpec) -> int:
    """A: the game's own actions, without the one to resign."""
    _, legal = split(spec.observations)
    return legal.shape[0]


def planes_shape(spec: specs.EnvironmentSpec) -> tuple[int, ...]:
    """What the network sees of a position: H, W, P."""
    rules = rules_of(spec.observations)
    return split(spec.observations)[0].shape if rules is None else rules.observation_shape
