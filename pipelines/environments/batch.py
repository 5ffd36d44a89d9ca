"""Several environments behind one interface, for loops that act on a batch of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import dm_env
    from dm_env import specs


class BatchedEnvironment:
    """B environments of equal specs, stepped one after the other in the caller's thread.

    Nothing is hidden: each element of the returned list is that environment's own TimeStep. An
    episode ends with LAST, whose observation is the true final one; the next `step` ignores that
    environment's action and returns the FIRST of its next episode, while the others go on:

        timesteps = batch.reset()
        while True:
            actions = policy(np.stack([t.observation for t in timesteps]))  # [B, ...]
            timesteps = batch.step(actions)
            for i, timestep in enumerate(timesteps):
                ...  # timestep.first(): element i holds no transition, its action was not used

    A thread pool was measured and left out: a step is mostly dm_control's Python, which holds the
    interpreter's lock, and each OpenGL context is bound to one thread.
    """

    def __init__(self, environments: Sequence[dm_env.Environment]) -> None:
        """Takes over `environments`.

        Raises:
          ValueError: if there is none, or two differ in a spec.
        """
        if not environments:
            raise ValueError("environments is empty, expected at least one")
        self._environments = list(environments)
        for name in ("observation_spec", "action_spec", "reward_spec", "discount_spec"):
            _check_equal_specs(self._environments, name)

    @property
    def batch_size(self) -> int:
        """B, the number of environments."""
        return len(self._environments)

    @property
    def environments(self) -> Sequence[dm_env.Environment]:
        """The single environments, in the batch's order."""
        return tuple(self._environments)

    @property
    def name(self) -> str:
        """The name of the first environment."""
        return self._environments[0].name

    def reset(self, index: int | None = None) -> Any:
        """Starts an episode in environment `index` and returns its TimeStep; None: in all."""
        if index is not None:
            return self._environments[index].reset()
        return [environment.reset() for environment in self._environments]

    def step(
        self, actions: np.ndarray | Sequence[Any], active: Sequence[bool] | None = None
    ) -> list[dm_env.TimeStep | None]:
        """Applies `actions` [B, ...] and returns B TimeSteps.

        Args:
          actions: one for each environment.
          active: [B] environments to step; the others stay as they are, and their element of the
            result is None. None: all.

        Raises:
          ValueError: if there are not B actions.
        """
        if len(actions) != self.batch_size:
            raise ValueError(f"got {len(actions)} actions, expected {self.batch_size}")
        if active is None:
            active = [True] * self.batch_size
        return [
            environment.step(action) if chosen else None
            for environment, action, chosen in zip(self._environments, actions, active, strict=True)
        ]

    def observation_spec(self) -> Any:
        """The spec, or nest of specs, of one environment, without the batch dimension."""
        return self._environments[0].observation_spec()

    def action_spec(self) -> specs.Array:
        """One environment's action spec."""
        return self._environments[0].action_spec()

    def reward_spec(self) -> specs.Array:
        """One environment's reward spec."""
        return self._environments[0].reward_spec()

    def discount_spec(self) -> specs.BoundedArray:
        """One environment's discount spec."""
        return self._environments[0].discount_spec()

    def random_state(self) -> list[Any]:
        """Returns every environment's `random_state`, valid when all are between episodes."""
        return [environment.random_state() for environment in self._environments]

    def set_random_state(self, states: Sequence[Any]) -> None:
        """Restores what `random_state` gave; each environment's next step starts a new episode.

        Raises:
          ValueError: if there are not B states.
        """
        if len(states) != self.batch_size:
            raise ValueError(f"got {len(states)} random states, expected {self.batch_size}")
        for environment, state in zip(self._environments, states, strict=True):
            environment.set_random_state(state)

    def close(self) -> None:
        """Closes every environment."""
        for environment in self._environments:
            environment.close()


def _check_equal_specs(environments: Sequence[dm_env.Environment], name: str) -> None:
    expected = getattr(environments[0], name)()
    for index, environment in enumerate(environments):
        spec = getattr(environment, name)()
        if spec != expected:
            raise ValueError(f"{name} of environment {index} is {spec}, expected {expected}")
