"""Players by name, as command lines have them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from pipelines.engines import making
from pipelines.engines.arena import Contestant, Game
from pipelines.engines.child import check_program
from pipelines.engines.contestants import (
    GtpContestant,
    OpponentContestant,
    PolicyContestant,
    UciContestant,
)
from pipelines.engines.player import Player
from pipelines.environments import opponents, rules_opponents
from pipelines.environments.opponents import OPPONENTS_BY_RULES, Opponent
from pipelines.logdir import exported
from pipelines.serving import saved_run
from pipelines.system.errors import UserError

PROGRAMS = {"gtp": "go", "uci": "chess"}

EXPECTED = (
    "one of random, mcts:N, uct:N, perfect, policy:RUN, policy:RUN@N, simulations:N, at:EPISODES, "
    "at:EPISODES@N, gtp:COMMAND, uci:COMMAND"
)


class Settings(NamedTuple):
    """What is the same for all players of a match.

    Attributes:
      logdir: of the run whose game is played.
      which: of the runs' policies, 'best' or 'last'.
      seed: of all players' randomness.
      mcts_simulations: of 'mcts' and 'uct' without a number.
      seconds: that a program's answer may take.
      processes: of a program, each with a game of its own.
      uci_go: what UCI programs are told after `go`.
      uci_options: their options, names and values.
      opening: random moves that open each game.
    """

    logdir: str
    which: str
    seed: int
    mcts_simulations: int = 100
    seconds: float = 60.0
    processes: int = 1
    uci_go: str = "movetime 100"
    uci_options: Sequence[tuple[str, str]] = ()
    opening: int = 0


class Roster:
    """Makes the players of a match, and its games.

    Raises:
      UserError: the run's environment is no board game.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._make_environment = functools.partial(making.self_play, settings.logdir)
        environment = self._make_environment()
        self.game, self.environment_name = environment.game_name, environment.name
        self._num_actions = environment.observation_spec()["legal_actions"].shape[0]
        self._komi = environment.komi
        self._players: dict[tuple[str, str], Player] = {}
        self._environments: dict[int, Any] = {}

    def make_game(self, slot: int, number: int) -> Game:
        """A new game for the arena, see `arena.play`."""
        if slot not in self._environments:
            self._environments[slot] = self._make_environment()
        game = Game(self._environments[slot], slot, self._komi)
        game.open(self._settings.opening, np.random.default_rng([self._settings.seed, number]))
        return game

    def make(self, name: str) -> Contestant:
        """Makes the player of that name, see `EXPECTED`.

        Raises:
          UserError: there is none, or it plays another game.
        """
        kind, _, rest = name.partition(":")
        if kind in PROGRAMS:
            return self._program(kind, rest, name)
        if kind in OPPONENTS_BY_RULES and (not rest or kind in ("mcts", "uct")):
            number = _number(name, rest) if rest else self._settings.mcts_simulations
            opponent = functools.partial(_opponent, kind, self._make_environment(), number)
            opponent()  # One that plays another game is known now.
            return OpponentContestant(name, opponent, self._settings.seed)
        logdir, which = self._settings.logdir, self._settings.which
        if kind == "simulations":
            return self._policy(name, logdir, which, _number(name, rest))
        if kind == "at" and rest:
            position, at, number = rest.partition("@")
            which = self._kept(name, _number(name, position))
            return self._policy(name, logdir, which, _number(name, number) if at else None)
        if kind == "policy" and rest:
            directory, at, number = rest.rpartition("@")
            if not at:
                directory, number = rest, ""
            simulations = _number(name, number) if number else None
            return self._policy(name, directory, which, simulations)
        raise UserError(f"player is '{name}'; expected {EXPECTED}")

    def _program(self, kind: str, command: str, name: str) -> Contestant:
        if self.game != PROGRAMS[kind]:
            raise UserError(
                f"player is '{name}', which plays {PROGRAMS[kind]}; the run's environment is "
                f"{self.environment_name}"
            )
        check_program(command)
        settings = self._settings
        start = command, settings.seconds
        if kind == "gtp":
            return GtpContestant(*start, settings.processes)
        return UciContestant(*start, settings.uci_go, settings.uci_options, settings.processes)

    def _kept(self, name: str, position: int) -> str:
        """The policy that an evaluation has kept."""
        there = exported.kept_positions(self._settings.logdir)
        if position not in there:
            listed = (
                f"one of {', '.join(map(str, there))}"
                if there
                else ("a run with Experiment.keep_policies = True, which this one was not")
            )
            raise UserError(f"player is '{name}'; expected {listed}")
        return exported.kept_at(position)

    def _policy(self, name: str, logdir: str, which: str, simulations: int | None) -> Contestant:
        if (logdir, which) not in self._players:
            directory = saved_run.find_policy(logdir, which)
            made = making.player_of(logdir, directory, self.game, None, self._settings.seed)
            self._players[logdir, which] = made
        player = self._players[logdir, which]
        player.restart()  # Equal seeds, equal games, whoever has played before.
        if player.num_actions != self._num_actions:
            raise UserError(
                f"player is '{name}', which has {player.num_actions} moves; the game has "
                f"{self._num_actions}"
            )
        if simulations is not None and simulations > player.most_simulations:
            raise UserError(
                f"player is '{name}'; its policy has room for {player.most_simulations} simulations"
            )
        environments = functools.partial(making.self_play, logdir)
        return PolicyContestant(name, player, environments, simulations)


def _opponent(kind: str, environment: Any, simulations: int) -> Opponent:
    if hasattr(environment, "rules"):
        return rules_opponents.make_opponent(kind, environment.rules, simulations)
    return opponents.make_opponent(kind, environment.state.get_game(), simulations)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise UserError(f"player is '{name}'; expected a positive integer, not '{text}'")
    return int(text)
