"""Who collects, where a gate decides it: a champion, whom the learner's networks must beat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sonnet as snt
from acme import specs

from agents.builder import Builder
from pipelines.configuration.experiment import Experiment
from pipelines.evaluation.gate import Match
from pipelines.launch.parts import Parts, make_environments, make_role
from pipelines.system.errors import Interrupted, UserError


class Champion:
    """The networks that collect, are evaluated and are saved.

    Args:
      experiment, parts: of the run.
      spec: of the environment.
      networks: that learn.
      should_stop: asked between moves.

    Attributes:
      networks: the champion's; without a gate the learner's own.

    Raises:
      UserError: there is a gate, and the environment is no game of two players.
    """

    def __init__(
        self,
        experiment: Experiment,
        parts: Parts,
        spec: specs.EnvironmentSpec,
        networks: snt.Module,
        should_stop: Callable[[], bool],
    ) -> None:
        self._builder: Builder = experiment.builder
        self._learning, self.networks, self._boards = networks, networks, None
        if self._builder.gate is None:
            return
        self.networks = parts.networks(spec)
        count = range(min(self._builder.gate.games, experiment.num_environments))
        boards = make_environments(experiment.environment, parts.seeds, "gate", count)
        if getattr(boards.environments[0], "players", 1) != 2:
            raise UserError(
                f"{self._builder.name} has a gate, which needs a game of two players; "
                f"{boards.name} is none, or one of them is its opponent"
            )
        role = make_role(boards, evaluation=True)
        players = [parts.policy(each, spec, role) for each in (networks, self.networks)]
        seed = parts.seeds.of("gate")
        self._match = lambda place: Match(boards, *players, seed + 2 * place, should_stop)
        self._boards = boards

    def due(self, updates: int, gated_updates: int) -> bool:
        """Whether a match comes after so many updates, the last one after `gated_updates`."""
        gate = self._builder.gate
        return gate is not None and updates // gate.interval != gated_updates // gate.interval

    def meet(self, updates: int) -> dict[str, float]:
        """Plays the match, and makes the learner champion if it has won; returns its metrics.

        Raises:
          Interrupted: the run is to stop; it is as if the match had not begun.
        """
        gate, before = self._builder.gate, self._boards.random_state()
        try:
            share = self._match(updates // gate.interval).play(gate.games)
        except Interrupted:
            self._boards.set_random_state(before)
            raise
        adopted = share > gate.threshold
        if adopted:
            pairs = zip(self.networks.variables, self._learning.variables, strict=True)
            for mine, theirs in pairs:
                mine.assign(theirs)
        return {"gate/points": share, "gate/adopted": float(adopted)}

    def random_state(self) -> list[Any] | None:
        """Of the games that decide; None without a gate."""
        return None if self._boards is None else self._boards.random_state()

    def set_random_state(self, state: list[Any] | None) -> None:
        """Restores what `random_state` gave."""
        if self._boards is not None:
            self._boards.set_random_state(state)
