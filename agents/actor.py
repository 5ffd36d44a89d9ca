"""Acts in a batch of environments with one policy and writes what happens to replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import dm_env
import numpy as np
import tensorflow as tf
import tree

from agents.direct import direct
from agents.policy import Policy


class Step(NamedTuple):
    """What happened in one row.

    Attributes:
      action: that was done.
      extras: what the policy said beside it, nests by name; empty where nobody records it.
      timestep: with which the environment answered.
    """

    action: np.ndarray
    extras: Mapping[str, Any]
    timestep: dm_env.TimeStep


class Actor:
    """One actor drives B environments: one call of the policy for all of them.

    Rows are independent: each is at its own point of its own episode, and a row whose environment
    starts an episode gets the policy's initial state.

    Attributes:
      calls: of the policy so far; with the seed it determines the next call's randomness, so it is
        saved with a run.
    """

    def __init__(
        self,
        policy: Policy,
        batch_size: int,
        seed: int,
        adders: Sequence[Any] = (),
        extras: Sequence[str] = (),
    ) -> None:
        """Makes an actor at the start of B episodes.

        Args:
          policy: acts.
          batch_size: B.
          seed: of the policy's randomness.
          adders: one for each environment; none: nothing is written.
          extras: names of the policy's info that are written with each action, nests or arrays.

        Raises:
          ValueError: as many adders as environments are wanted.
        """
        if adders and len(adders) != batch_size:
            raise ValueError(f"got {len(adders)} adders, expected one for each of {batch_size}")
        self.policy = policy
        self._step = direct(policy.step)
        self._adders = adders
        self._extras = extras
        self._seed = seed
        self._initial = policy.initial_state(batch_size)
        self._state = self._initial
        self._recorded: Mapping[str, Any] = {}
        self.calls = 0

    def select_action(
        self, timesteps: Sequence[dm_env.TimeStep], active: Sequence[bool] | None = None
    ) -> np.ndarray:
        """Returns actions [B, …] for the environments' last time steps.

        Args:
          timesteps: of all rows; an idle one's may be any.
          active: [B], rows whose action is wanted; None: all. An idle row's state stays as it is.
        """
        active = np.ones(len(timesteps), bool) if active is None else np.asarray(active, bool)
        first = np.array([timestep.first() for timestep in timesteps])
        before = _rows(first, self._initial, self._state)
        observation = stack([timestep.observation for timestep in timesteps])
        inputs = [
            tree.map_structure(tf.constant, observation),
            before,
            tf.constant([self._seed, self.calls], tf.int32),
        ]
        if self.policy.skips_idle_rows:
            inputs.append(tf.constant(active))
        action, after, info = self._step(*inputs)
        self._state = after if active.all() else _rows(active, after, before)
        self._recorded = tree.map_structure(np.array, {name: info[name] for name in self._extras})
        self.calls += 1
        return action.numpy()

    def recorded(self, row: int) -> Mapping[str, Any]:
        """What is recorded of the last action of environment `row`, nests by name."""
        return {name: _row(values, row) for name, values in self._recorded.items()}

    def observe_first(self, row: int, timestep: dm_env.TimeStep) -> None:
        """Records the first time step of an episode of environment `row`."""
        if self._adders:
            self._adders[row].add_first(timestep)

    def observe(self, row: int, step: Step) -> None:
        """Records what happened in environment `row`."""
        if not self._adders:
            return
        extras = (dict(step.extras),) if self._extras else ()
        self._adders[row].add(step.action, step.timestep, *extras)

    def rehearse(self, row: int, first: dm_env.TimeStep, steps: Sequence[Step]) -> None:
        """Takes up an episode in progress of environment `row`, whose items so far are written.

        Adders that keep something of it have a method `rehearse(first, steps)`.
        """
        if self._adders and hasattr(self._adders[row], "rehearse"):
            self._adders[row].rehearse(first, steps)

    def flush(self) -> None:
        """Returns when what the adders hold back and can write is in the tables."""
        for method in ("write", "flush"):  # All write before the first one waits.
            for adder in self._adders:
                if hasattr(adder, method):
                    getattr(adder, method)()

    def abandon(self) -> None:
        """Forgets the episodes in progress; nothing of them reaches replay."""
        self._state = self._initial
        for adder in self._adders:
            adder.reset()

    def state(self) -> dict[str, Any]:
        """What the next actions depend on, beside the policy's weights: arrays and numbers."""
        leaves = [np.array(values) for values in tree.flatten(self._state)]
        return {"calls": self.calls, "policy": leaves}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes on from what `state` returned.

        Raises:
          ValueError: it is another policy's.
        """
        mine, theirs = tree.flatten(self._initial), state["policy"]
        expected = [(leaf.dtype.as_numpy_dtype, tuple(leaf.shape)) for leaf in mine]
        found = [(leaf.dtype.type, tuple(leaf.shape)) for leaf in theirs]
        if expected != found:
            raise ValueError("the policy's state has other shapes")
        self.calls = state["calls"]
        self._state = tree.unflatten_as(self._initial, [tf.constant(leaf) for leaf in theirs])


def stack(nests: Sequence[Any]) -> Any:
    """Joins nests of arrays [...] to one nest of [len(nests), ...]."""
    if isinstance(nests[0], np.ndarray):  # `tree` costs more than the rest.
        return np.stack(nests)
    return tree.map_structure(lambda *leaves: np.stack(leaves), *nests)


def _row(nest: Any, row: int) -> Any:
    if isinstance(nest, np.ndarray):
        return nest[row]
    return tree.map_structure(lambda values: values[row], nest)


def _rows(chosen: np.ndarray, those: Any, others: Any) -> Any:
    """The chosen rows [B] of one nest [B, …], and all others of another one."""
    if not chosen.any():
        return others

    def select(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
        return tf.where(chosen.reshape([-1] + [1] * (one.shape.rank - 1)), one, other)

    return tf.nest.map_structure(select, those, others)
