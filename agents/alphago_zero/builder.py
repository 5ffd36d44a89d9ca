"""Makes AlphaGo Zero's parts: AlphaZero's, an evaluator's gate, and turned evaluations."""

from __future__ import annotations

import gin
from acme import specs

from agents.alphago_zero.acting import AlphaGoZeroPolicy
from agents.alphago_zero.config import AlphaGoZeroConfig
from agents.alphazero.builder import AlphaZeroBuilder
from agents.averaging import OnlineAndActing
from agents.boards.observations import rules_of
from agents.builder import Gate, Role, tensor_spec


@gin.configurable
class AlphaGoZeroBuilder(AlphaZeroBuilder):
    """Silver et al. 2017; every setting is in `AlphaGoZeroConfig`."""

    name = "alphago_zero"
    config: AlphaGoZeroConfig

    def __init__(self, config: AlphaGoZeroConfig | None = None) -> None:
        super().__init__(config or AlphaGoZeroConfig())
        config = self.config
        self.gate = Gate(config.gate_interval, config.gate_games, config.gate_threshold)

    def make_policy(
        self, networks: OnlineAndActing, spec: specs.EnvironmentSpec, role: Role
    ) -> AlphaGoZeroPolicy:
        """See `AlphaGoZeroPolicy`.

        Raises:
          ValueError: the rules are no ops.
        """
        if rules_of(spec.observations) is None:
            raise ValueError("AlphaGo Zero needs rules that are ops, those of rules_game")
        observations, actions = tensor_spec(spec.observations), tensor_spec(spec.actions)
        parts = networks.acting, observations, actions, role.evaluation
        return AlphaGoZeroPolicy(self.config, *parts)
