"""A saved policy as a player: positions → searches, for whatever protocol asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import dm_env
import numpy as np
import tensorflow as tf

from agents.boards.simulators import GamePosition
from agents.policy import Policy
from pipelines.engines.variations import Variation, variations
from pipelines.system.errors import UserError

# The option of searching policies.
_SIMULATIONS = "num_simulations"

# Simulations by which a reply within a line is found, where the policy shows no tree.
_REPLY_SIMULATIONS = 8
# Seconds of a slice of a search, and actions of a continuation.
_SLICE, _LONGEST = 0.04, 16
# Continuations of which more than the first action is looked at.
_LINES_IN_FULL = 8


class Position(NamedTuple):
    """What a policy is shown: a copy, which later moves leave alone.

    Attributes:
      observation: the environment's, of one row.
      moves: made since the game began.
      over: whether the game has ended; nobody moves then.
      game: from which a policy that searches on the host plays on; None: the policy is another.
    """

    observation: dict[str, np.ndarray]
    moves: int
    over: bool
    game: GamePosition | None = None

    @property
    def legal(self) -> np.ndarray:
        """bool [A]."""
        return self.observation["legal_actions"]


class Found(NamedTuple):
    """What a search has found, for whoever is to move.

    Attributes:
      action: to be played.
      shares: float32 [A], of the visits, which sum to 1; of a policy that does not search, all are
        its action's.
      value: -1 to 1; None: the policy does not say.
      simulations: of the search; 1 where there was none.
      variations: of the search's tree; none where the policy does not show it.
    """

    action: int
    shares: np.ndarray
    value: float | None
    simulations: int
    variations: Sequence[Variation] = ()


class Line(NamedTuple):
    """One continuation, the mover's action first.

    Attributes:
      actions: what is played in turns.
      value: -1 to 1, for whoever is to move; None: the policy does not say.
      visits: of the first action.
    """

    actions: list[int]
    value: float | None
    visits: int


class Player:
    """A policy, and an environment in self-play that shows it positions.

    Args:
      policy: `SavedPolicy`, or one that searches on the host (`Policy.on_host`); its state between
        moves holds their number at most.
      environment: a board game; its own game in progress is not kept.
      simulations: of a move; None: the policy's own.
      seed: of the policy's randomness.

    Attributes:
      simulations: of a move, unless a limit says otherwise.
      most_simulations: that the policy has room for.
      num_actions: A, of the game.

    Raises:
      UserError: the policy is another kind's, or has no room for so many simulations.
    """

    def __init__(
        self, policy: Policy, environment: Any, simulations: int | None = None, seed: int = 0
    ) -> None:
        self._environment = environment
        self._busy = threading.Lock()  # A search that nobody waits for any more may still ask.
        self._policy, self._seed, self._calls = policy, seed, 0
        self._seconds = _SLICE  # Of a simulation in a slice, the last time.
        self._initial_state(1)  # One that cannot be set is known at once.
        self.num_actions = environment.observation_spec()["legal_actions"].shape[0]
        self.searches = _SIMULATIONS in policy.options
        own = policy.options.get(_SIMULATIONS, 1)
        self.most_simulations = policy.most.get(_SIMULATIONS, own)
        self.simulations = own if simulations is None else simulations
        if self.simulations > self.most_simulations:
            raise UserError(
                f"--num_simulations is {simulations}; expected at most {self.most_simulations}, "
                "for which the policy was saved"
            )

    def position(self, actions: Sequence[int], start: str | None = None) -> Position:
        """The position after `actions`, from the game's beginning or from OpenSpiel's `start`.

        What comes after the environment's end of the game is left out.

        Raises:
          ValueError: one of them is illegal.
        """
        environment = self._environment
        with self._busy:
            timestep = environment.reset() if start is None else environment.set_up(start)
            for action in actions:
                if timestep.last():
                    break
                timestep = environment.step(action)
            return self.seen(environment, timestep, len(actions))

    def seen(self, environment: Any, timestep: dm_env.TimeStep, moves: int) -> Position:
        """The position in which an environment stands, after so many moves."""
        game = environment.position() if self._policy.on_host else None
        return Position(timestep.observation, moves, timestep.last(), game)

    def restart(self) -> None:
        """Its randomness begins anew."""
        self._calls = 0
        if self._policy.on_host:
            self._policy.forget()

    def search(
        self,
        positions: Sequence[Position],
        simulations: int | None = None,
        allowed: np.ndarray | None = None,
    ) -> list[Found]:
        """Searches in all of them at once.

        Args:
          positions: B, none of which is over.
          simulations: at most `most_simulations`; None: `simulations`.
          allowed: bool [A], to choose from; at least one legal action. None: all that are legal.
        """
        count = min(simulations or self.simulations, self.most_simulations)
        options: dict[str, Any] = {_SIMULATIONS: count} if self.searches else {}
        if self._policy.on_host:
            options["positions"] = [position.game for position in positions]
        action, _, info = self._policy.step(*self._inputs(positions, allowed), **options)
        return _found(action.numpy(), info, self.num_actions, count)

    def _inputs(
        self, positions: Sequence[Position], allowed: np.ndarray | None
    ) -> tuple[Any, Any, tf.Tensor]:
        """Observation, state and seed of a step."""
        observation = tf.nest.map_structure(
            lambda *rows: np.stack(rows), *[position.observation for position in positions]
        )
        if allowed is not None:
            observation["legal_actions"] = observation["legal_actions"] & allowed
        state = self._initial_state(len(positions))
        if state:
            state = {"moves": tf.constant([p.moves for p in positions], tf.int32)}
        seed = tf.constant([self._seed, self._calls], tf.int32)
        self._calls += 1
        return tf.nest.map_structure(tf.constant, observation), state, seed

    def study(
        self,
        position: Position,
        simulations: int | None = None,
        allowed: np.ndarray | None = None,
        going_on: Callable[[], bool] = lambda: True,
    ) -> Found | None:
        """Searches in one position, in slices of some hundredths of a second where it can.

        Args:
          position, simulations, allowed: as in `search`.
          going_on: asked between slices; False: the search is given up.

        Returns:
          What it found; None where it was given up.
        """
        if not (self._policy.on_host or self._policy.sliced):
            return self.search([position], simulations, allowed)[0] if going_on() else None
        count = min(simulations or self.simulations, self.most_simulations)
        inputs = self._inputs([position], allowed)
        if self._policy.on_host:
            made = self._policy.think(*inputs, count, [position.game], going_on)
        else:
            made = self._in_slices(inputs, count, going_on)
        if made is None:
            return None
        action, _, info, tree = made
        found = _found(action.numpy(), info, self.num_actions, count)[0]
        return found._replace(variations=variations(*self._policy.explored(tree), _LONGEST))

    def _in_slices(
        self, inputs: tuple[Any, ...], count: int, going_on: Callable[[], bool]
    ) -> tuple[Any, ...] | None:
        """What the last slice of a search gives; None: it was given up."""
        done, made = 0, (None,)
        while done < count:
            if not going_on():
                return None
            added = min(count - done, max(1, int(_SLICE / self._seconds))) if done else 1
            start = time.monotonic()
            made = self._policy.slice(*inputs, count, added, made[-1])
            made[0].numpy()  # Waits for it.
            self._seconds = (time.monotonic() - start) / added if done else self._seconds
            done += added
        return made

    def lines(
        self, actions: Sequence[int], start: str | None, found: Found, count: int
    ) -> list[Line]:
        """The `count` most visited first actions of a search, the chosen one first, with replies.

        Args:
          actions, start: that have led to the position, see `position`.
          found: there.
          count: at least 1; fewer come where fewer were visited.
        """
        if found.variations:
            return self._searched_lines(actions, start, found, count)
        order = [int(action) for action in np.argsort(-found.shares, kind="stable")]
        others = [a for a in order if a != found.action and found.shares[a] > 0]
        firsts = [found.action, *others[: count - 1]]
        after = [self.position([*actions, action], start) for action in firsts]
        going = [row for row, position in enumerate(after) if not position.over]
        replies = self.search([after[row] for row in going], _REPLY_SIMULATIONS) if going else []
        answered = dict(zip(going, replies, strict=True))
        lines = []
        for row, action in enumerate(firsts):
            reply = answered.get(row)
            value = found.value
            if row and reply is not None and reply.value is not None:
                value = -reply.value
            line = [action] if reply is None else [action, reply.action]
            visits = round(float(found.shares[action]) * found.simulations)
            lines.append(Line(line, value, visits))
        return lines

    def _searched_lines(
        self, actions: Sequence[int], start: str | None, found: Found, count: int
    ) -> list[Line]:
        """`lines` out of the search's tree; a learned model's may lead out of the rules.

        The first one has a reply in any case, since programs think on in its place.
        """
        ordered = sorted(found.variations, key=lambda each: each.actions[0] != found.action)
        lines = []
        for number, each in enumerate(ordered[:count]):
            following = each.actions if number < _LINES_IN_FULL else each.actions[:1]
            by_rules = self._policy.on_host
            legal = following if by_rules else self._legal_part(actions, start, following)
            if number == 0 and len(legal) == 1:
                legal += self._reply(actions, start, legal[0])
            lines.append(Line(legal, each.value, each.visits))
        return lines

    def _reply(self, actions: Sequence[int], start: str | None, action: int) -> list[int]:
        """What a short search plays behind `action`; nothing where that ends the game."""
        after = self.position([*actions, action], start)
        return [] if after.over else [self.search([after], _REPLY_SIMULATIONS)[0].action]

    def _legal_part(
        self, actions: Sequence[int], start: str | None, following: Sequence[int]
    ) -> list[int]:
        """As much of `following` as the rules allow behind `actions`."""
        if len(following) == 1:
            return list(following)
        environment = self._environment
        with self._busy:
            timestep = environment.reset() if start is None else environment.set_up(start)
            for action in actions:
                timestep = environment.step(action)
            for number, action in enumerate(following):
                if timestep.last() or not timestep.observation["legal_actions"][action]:
                    return list(following[:number])
                timestep = environment.step(action)
        return list(following)

    def _initial_state(self, batch_size: int) -> Any:
        state = self._policy.initial_state(batch_size)
        if state and set(state) != {"moves"}:
            carried = ", ".join(sorted(set(state) - {"moves"}))
            raise UserError(
                f"the policy carries {carried} from move to move, which a player cannot take back; "
                "expected a policy that sees the position alone"
            )
        return state


def _found(action: np.ndarray, info: Any, num_actions: int, count: int) -> list[Found]:
    if "search_policy" in info:
        shares = info["search_policy"].numpy()
    else:
        shares = np.eye(num_actions + 1, dtype=np.float32)[action]  # It may resign by an action.
    values = info["search_value"].numpy().tolist() if "search_value" in info else None
    return [
        Found(int(action[row]), shares[row], values[row] if values else None, count)
        for row in range(len(action))
    ]
