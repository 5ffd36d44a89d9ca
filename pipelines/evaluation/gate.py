"""A match between two policies, which decides who collects (AlphaGo Zero's evaluator)."""

from __future__ import annotations

from collections.abc import Callable

import dm_env
import numpy as np

from agents.actor import Actor
from agents.policy import Policy
from pipelines.environments import BatchedEnvironment
from pipelines.system.errors import Interrupted


class Match:
    """Plays games between a candidate and a champion, each beginning half of them.

    Args:
      environment: B games whose players move in turns; a step is one player's move, and its reward
        the mover's.
      candidate, champion: act for the player to move.
      seed: of both.
      should_stop: asked between moves.
    """

    def __init__(
        self,
        environment: BatchedEnvironment,
        candidate: Policy,
        champion: Policy,
        seed: int,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        size = environment.batch_size
        self._environment, self._should_stop = environment, should_stop
        self._players = [Actor(candidate, size, seed), Actor(champion, size, seed + 1)]

    def play(self, games: int) -> float:
        """Plays and returns the candidate's share of the points: a win is 1, a draw ½.

        Raises:
          Interrupted: the run is to stop.
        """
        rows = range(self._environment.batch_size)
        self._timesteps: list[dm_env.TimeStep | None] = [None for _ in rows]
        self._mover = np.zeros(len(rows), int)  # 0: the candidate, 1: the champion.
        begun, points = 0, []
        while len(points) < games:
            if self._should_stop():
                raise Interrupted
            for i in rows:
                if self._is_free(i) and begun < games:
                    self._timesteps[i] = self._environment.reset(i)
                    self._mover[i] = begun % 2
                    begun += 1
            points += self._move()
        return float(np.mean(points))

    def _is_free(self, i: int) -> bool:
        return self._timesteps[i] is None or self._timesteps[i].last()

    def _move(self) -> list[float]:
        """One move in each game; returns the candidate's points of those that end with it."""
        playing = np.array([not self._is_free(i) for i in range(len(self._timesteps))])
        filler = next(t for t in self._timesteps if t is not None)
        shown = [timestep or filler for timestep in self._timesteps]
        actions = None
        for player, actor in enumerate(self._players):
            turn = playing & (self._mover == player)
            chosen = actor.select_action(shown, turn)
            actions = chosen if actions is None else np.where(turn, chosen, actions)
        answers = self._environment.step(actions, list(playing))
        points = []
        for i in np.flatnonzero(playing):
            self._timesteps[i] = answers[i]
            if answers[i].last():
                gain = 0.5 + 0.5 * float(answers[i].reward)
                points.append(gain if self._mover[i] == 0 else 1.0 - gain)
            self._mover[i] = 1 - self._mover[i]
        return points
