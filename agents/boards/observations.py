"""What games with legal moves show: a nest of the board and of what may be done.

The board is what the mover sees, `board` (planes, float32 [H, W, P]), or, where the rules are ops
in the graph, the packed `state` (uint8 [S]) that they play on from and make planes of.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from dm_env import specs

from ops.games import Rules

BOARD, STATE, LEGAL = "board", "state", "legal_actions"


class StateSpec(specs.Array):
    """The spec of packed states, uint8 [S].

    Attributes:
      rules: that play on from them, and make planes of them.
    """

    def __init__(self, rules: Rules) -> None:
        super().__init__((rules.state_size,), np.uint8, STATE)
        self.rules = rules

    def __eq__(self, other: Any) -> bool:
        same = super().__eq__(other)
        return same and getattr(other, "rules", self.rules).options == self.rules.options

    def __reduce__(self) -> tuple[type[StateSpec], tuple[Rules]]:
        return StateSpec, (self.rules,)


def split(observation: Any) -> tuple[Any, Any | None]:
    """What the network sees, and the legal actions [..., A], or None where all of them are."""
    if isinstance(observation, dict) and LEGAL in observation:
        for name in (BOARD, STATE):
            if name in observation:
                return observation[name], observation[LEGAL]
    return observation, None


def rules_of(observations: Any) -> Rules | None:
    """The rules that an environment's spec of observations brings along; None: it shows planes."""
    seen, _ = split(observations)
    return seen.rules if isinstance(seen, StateSpec) else None
