"""Players for the games of `ops.games`: OpenSpiel's where it knows the game, and one of ours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ops.games import Rules
from pipelines.environments import opponents
from pipelines.environments.arguments import check_choice
from pipelines.environments.host_rules import Position, PositionRules
from pipelines.environments.opponents import Opponent

# As OpenSpiel's player has it.
_UCT_C = 2.0


class Mirrored:
    """An OpenSpiel player: it is shown the same moves on OpenSpiel's own board."""

    def __init__(self, game: Any, player: Opponent) -> None:
        self._game, self._player = game, player

    def begin(self, generator: np.random.Generator) -> None:
        """See `Opponent.begin`."""
        self._player.begin(generator)

    def choose(self, state: Any, legal: Sequence[int]) -> int:
        """See `Opponent.choose`; `state` is a `RulesGame`."""
        mirror = self._game.new_initial_state()
        for action in state.actions:
            mirror.apply_action(action)
        return self._player.choose(mirror, legal)


class UctPlayer:
    """A tree search with one random rollout a leaf: UCT (Kocsis and Szepesvári 2006).

    Args:
      rules: of the game.
      simulations: of each move.
    """

    def __init__(self, rules: Rules, simulations: int) -> None:
        self._host, self._simulations = PositionRules.of(rules), simulations

    def begin(self, generator: np.random.Generator) -> None:
        """See `Opponent.begin`."""
        self._generator = generator

    def choose(self, state: Any, legal: Sequence[int]) -> int:
        """See `Opponent.choose`; `state` is a `RulesGame`."""
        root = _Node(state.position)
        for _ in range(self._simulations):
            self._simulate(root)
        most = max(child.visits for child in root.children.values())
        best = [action for action, child in root.children.items() if child.visits == most]
        return best[int(self._generator.integers(len(best)))]

    def _simulate(self, root: _Node) -> None:
        """One walk to a new node, a rollout from there, and the outcome back up."""
        path, node = [root], root
        while not node.position.over and node.visits > 0:
            node = self._child(node)
            path.append(node)
        outcome = self._host.rollout(node.position, self._generator)  # Of who is to move.
        for node in reversed(path):
            # A node's value is that of the move that led there, so its mover's.
            outcome = -outcome
            node.visits += 1
            node.total += outcome

    def _child(self, node: _Node) -> _Node:
        if node.untried is None:
            node.untried = list(self._generator.permutation(np.flatnonzero(node.position.legal)))
        if node.untried:
            action = int(node.untried.pop())
            child = node.children[action] = _Node(self._host.step(node.position.state, action))
            return child
        log = math.log(node.visits)
        return max(
            node.children.values(),
            key=lambda child: child.total / child.visits + _UCT_C * math.sqrt(log / child.visits),
        )


class _Node:
    def __init__(self, position: Position) -> None:
        self.position = position
        self.visits, self.total = 0, 0.0
        self.children: dict[int, _Node] = {}
        self.untried: list[int] | None = None


def make_opponent(kind: str, rules: Rules, simulations: int) -> Opponent:
    """Makes one of `OPPONENTS_BY_RULES` for a game.

    Raises:
      UserError: there is none of that kind, or not for this game.
    """
    check_choice("opponent", kind, opponents.OPPONENTS_BY_RULES)
    if kind == "uct":
        return UctPlayer(rules, simulations)
    if kind == "random":
        return opponents.RandomPlayer()
    game = open_spiel_game(rules)
    if game is None and kind == "mcts":
        return UctPlayer(rules, simulations)
    player = opponents.make_opponent(kind, game, simulations, rules.name)
    return Mirrored(game, player)


def open_spiel_game(rules: Rules) -> Any | None:
    """OpenSpiel's game of the same moves (pyspiel.Game); None: it has none."""
    import pyspiel

    options = rules.options
    if rules.name == "othello" and options.height != 8:
        return None
    if rules.name != "go":
        return pyspiel.load_game(rules.name)
    parameters = {"board_size": options.height, "komi": options.komi}
    return pyspiel.load_game("go", {**parameters, "max_game_length": options.max_moves})
