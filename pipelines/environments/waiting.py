"""An environment whose steps take their time, as a robot's or a remote simulator's do."""

from __future__ import annotations

import numbers
import time
from collections.abc import Callable
from typing import Any

import dm_env
import gin

from pipelines.system.errors import UserError

# Longest pause, in seconds: whoever asks for more means milliseconds.
_LONGEST = 60.0


class Waiting(dm_env.Environment):
    """Another environment with a pause before each step; nothing else is changed."""

    def __init__(self, environment: dm_env.Environment, seconds: float) -> None:
        """Wraps `environment`, whose steps come `seconds` later."""
        self._environment, self._seconds = environment, seconds

    def __getattr__(self, name: str) -> Any:
        """Whatever this project's environments have beyond dm_env."""
        return getattr(self._environment, name)

    def reset(self) -> dm_env.TimeStep:
        """Starts an episode, at once."""
        return self._environment.reset()

    def step(self, action: Any) -> dm_env.TimeStep:
        """Waits, then applies `action`."""
        time.sleep(self._seconds)
        return self._environment.step(action)

    def observation_spec(self) -> Any:
        """The environment's."""
        return self._environment.observation_spec()

    def action_spec(self) -> Any:
        """The environment's."""
        return self._environment.action_spec()

    def reward_spec(self) -> Any:
        """The environment's."""
        return self._environment.reward_spec()

    def discount_spec(self) -> Any:
        """The environment's."""
        return self._environment.discount_spec()

    def close(self) -> None:
        """Closes the environment."""
        self._environment.close()


@gin.configurable
def waiting(
    seed: int,
    environment: Callable[..., dm_env.Environment] | None = None,
    seconds: float = 0.02,
) -> Waiting:
    """Makes an environment that waits before each step, without taking a processor.

    Args:
      seed: of the environment.
      environment: factory of the one that waits, as in `waiting.environment = @classic_control`.
      seconds: of each pause.

    Raises:
      UserError: there is no environment, or no such pause.
    """
    if not callable(environment):
        raise UserError(
            f"waiting.environment is {environment!r}; expected an environment's factory, as in "
            "@classic_control"
        )
    if not isinstance(seconds, numbers.Real) or not 0 <= seconds <= _LONGEST:
        raise UserError(f"waiting.seconds is {seconds!r}; expected 0 to {_LONGEST:g}")
    return Waiting(environment(seed=seed), seconds)
