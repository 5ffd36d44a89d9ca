"""Players for OpenSpiel's two-player games: opponents to train or to measure a policy against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from pipelines.environments.arguments import check_choice
from pipelines.system.errors import UserError

OPPONENTS = ("random", "mcts", "perfect")
# Games of ours have a tree search of ours too (`rules_opponents`).
OPPONENTS_BY_RULES = (*OPPONENTS, "uct")

# The only game that is solved here at sight; it has 5478 positions.
SOLVED_GAME = "tic_tac_toe"

# As in OpenSpiel's own examples: exploration constant, rollouts a leaf, and proven wins and losses
# are backed up (they leave the tree search as strong as it can be at so many simulations).
_UCT_C = 2.0
_ROLLOUTS = 1
_SOLVE = True
_MEMORY_MIB = 1000
_MAX_SEED = 2**31


class Opponent(Protocol):
    """A player; all it draws comes from the generator that it is given at a game's start."""

    def begin(self, generator: np.random.Generator) -> None:
        """Readies the player for a game."""

    def choose(self, state: Any, legal: Sequence[int]) -> int:
        """Returns one of the `legal` actions for whoever is to move in `state`, which stays.

        `state` is a pyspiel.State, but for players who say otherwise.
        """


class RandomPlayer:
    """Picks uniformly among the legal actions; reads no state."""

    def begin(self, generator: np.random.Generator) -> None:
        """See `Opponent.begin`."""
        self._generator = generator

    def choose(self, state: Any, legal: Sequence[int]) -> int:
        """See `Opponent.choose`."""
        return _pick(legal, self._generator)


class MctsPlayer:
    """OpenSpiel's tree search in C++ with random rollouts.

    Args:
      game: pyspiel.Game.
      simulations: of each move, one rollout each.
    """

    def __init__(self, game: Any, simulations: int) -> None:
        self._game, self._simulations = game, simulations

    def begin(self, generator: np.random.Generator) -> None:
        """See `Opponent.begin`; a new player, since the old one's random state cannot be read."""
        import pyspiel

        rollout_seed, seed = (int(value) for value in generator.integers(_MAX_SEED, size=2))
        evaluator = pyspiel.RandomRolloutEvaluator(_ROLLOUTS, rollout_seed)
        self._bot = pyspiel.MCTSBot(
            self._game, evaluator, _UCT_C, self._simulations, _MEMORY_MIB, _SOLVE, seed, False
        )

    def choose(self, state: Any, legal: Sequence[int]) -> int:
        """See `Opponent.choose`."""
        action = self._bot.step(state)
        if action in legal:
            return action
        # OpenSpiel's Go lets a move repeat an older board (and draws); other rules forbid it.
        visits = {
            child.action: child.explore_count for child in self._bot.mcts_search(state).children
        }
        return max(legal, key=lambda action: visits.get(action, 0))


class PerfectPlayer:
    """Picks uniformly among the actions that are best against the best play (minimax)."""

    def begin(self, generator: np.random.Generator) -> None:
        """See `Opponent.begin`."""
        self._generator = generator

    def choose(self, state: Any, legal: Sequence[int]) -> int:
        """See `Opponent.choose`."""
        return _pick(best_actions(state), self._generator)


def make_opponent(
    kind: str, game: Any | None, simulations: int, name: str | None = None
) -> Opponent:
    """Makes one of `OPPONENTS` for `game` (pyspiel.Game), whose `name` is OpenSpiel's if None.

    Raises:
      UserError: there is none of that kind, or not for this game.
    """
    check_choice("opponent", kind, OPPONENTS)
    name = name or game.get_type().short_name
    if kind == "perfect" and name != SOLVED_GAME:
        raise UserError(
            f"opponent is 'perfect', which plays {SOLVED_GAME} only; "
            f"expected one of random, mcts for {name}"
        )
    if kind == "perfect":
        return PerfectPlayer()
    return RandomPlayer() if kind == "random" else MctsPlayer(game, simulations)


def best_actions(state: Any) -> list[int]:
    """Returns the actions of tic-tac-toe's `state` that are best against the best play."""
    values = {action: -_value(state.child(action)) for action in state.legal_actions()}
    return [action for action, value in values.items() if value == max(values.values())]


_VALUES: dict[str, float] = {}


def _value(state: Any) -> float:
    """Returns what perfect play gets whoever is to move in `state`: 1, 0 or -1."""
    board = str(state)
    if board not in _VALUES:
        if state.is_terminal():
            _VALUES[board] = state.returns()[state.move_number() % 2]
        else:
            _VALUES[board] = max(-_value(state.child(a)) for a in state.legal_actions())
    return _VALUES[board]


def _pick(actions: Sequence[int], generator: np.random.Generator) -> int:
    return actions[int(generator.integers(len(actions)))]
