"""Gymnasium's classic control tasks with discrete actions as dm_env."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Sequence
from typing import Any

import dm_env
import gin
import numpy as np
from dm_env import specs

from pipelines.environments import random_states
from pipelines.environments.arguments import check_choice, check_flag

TASKS = ("CartPole-v1", "Acrobot-v1", "MountainCar-v0")
# Which numbers of a task's state are no velocities.
_POSITIONS = {"CartPole-v1": [0, 2], "Acrobot-v1": [0, 1, 2, 3], "MountainCar-v0": [0]}


class ClassicControl(dm_env.Environment):
    """One task.

    Observations are float32 [n], actions int32 scalars, rewards and discounts float32 scalars. The
    discount of the last step is 0 where the task ended and 1 where its time limit cut it off.
    """

    def __init__(
        self,
        environment: Any,
        name: str,
        seed: int,
        shown: Sequence[int] | None = None,
        normalise: bool = False,
    ) -> None:
        """Wraps `environment` (Gymnasium's, with `render_mode='rgb_array'`).

        Args:
          environment: the task.
          name: of it here.
          seed: of its initial states.
          shown: which numbers of its state are observed; None: all.
          normalise: see `classic_control`.
        """
        self.name = name
        self._shown = slice(None) if shown is None else list(shown)
        self._environment = environment
        space = environment.observation_space
        low, high = space.low[self._shown], space.high[self._shown]
        bounded = normalise & np.isfinite(low) & np.isfinite(high)
        lowest, highest = np.where(bounded, low, -1.0), np.where(bounded, high, 1.0)
        self._middle = (lowest / 2 + highest / 2).astype(np.float32)
        self._width = (highest / 2 - lowest / 2).astype(np.float32)
        self._bounds = self._normalised(low), self._normalised(high)
        self._reset_next_step = True
        environment.unwrapped.np_random = np.random.Generator(np.random.PCG64(seed))

    def reset(self) -> dm_env.TimeStep:
        """Starts an episode."""
        self._reset_next_step = False
        observation, _ = self._environment.reset()
        return dm_env.restart(self._observed(observation))

    def step(self, action: np.ndarray | int) -> dm_env.TimeStep:
        """Applies `action`; after a LAST step it is ignored and a new episode begins.

        Raises:
          ValueError: if `action` is not one of the task's.
        """
        if self._reset_next_step:
            return self.reset()
        action = int(action)
        if not 0 <= action < self._environment.action_space.n:
            count = self._environment.action_space.n
            raise ValueError(f"action is {action}, expected an integer from 0 to {count - 1}")
        observation, reward, terminated, truncated, _ = self._environment.step(action)
        self._reset_next_step = terminated or truncated
        return dm_env.TimeStep(
            dm_env.StepType.LAST if self._reset_next_step else dm_env.StepType.MID,
            np.float32(reward),
            np.float32(0.0 if terminated else 1.0),
            self._observed(observation),
        )

    def observation_spec(self) -> specs.BoundedArray:
        """What of the task's state is shown, float32 [n]; velocities may have infinite bounds."""
        low, high = self._bounds
        return specs.BoundedArray(low.shape, np.float32, low, high, name="state")

    def action_spec(self) -> specs.DiscreteArray:
        """The task's actions, an int32 scalar."""
        count = int(self._environment.action_space.n)
        return specs.DiscreteArray(count, dtype=np.int32, name="action")

    def reward_spec(self) -> specs.Array:
        """A float32 scalar."""
        return specs.Array((), np.float32, name="reward")

    def discount_spec(self) -> specs.BoundedArray:
        """A float32 scalar, 0 or 1."""
        return specs.BoundedArray((), np.float32, 0.0, 1.0, name="discount")

    def render(self, height: int = 240, width: int = 320) -> np.ndarray:
        """Returns the present state as uint8 [height, width, 3], Gymnasium's drawing rescaled."""
        from PIL import Image

        _import_pygame()
        frame = Image.fromarray(self._environment.render())
        return np.array(frame.resize((width, height), Image.Resampling.BOX))

    def random_state(self) -> random_states.RandomState:
        """Returns the generator as JSON-able data; between episodes it fixes all to come."""
        return random_states.from_generator(self._environment.unwrapped.np_random)

    def set_random_state(self, state: random_states.RandomState) -> None:
        """Restores what `random_state` gave; the next step starts a new episode."""
        random_states.to_generator(state, self._environment.unwrapped.np_random)
        self._reset_next_step = True

    def close(self) -> None:
        """Frees the drawing surface."""
        self._environment.close()

    def _observed(self, state: Any) -> np.ndarray:
        return self._normalised(np.asarray(state, np.float32)[self._shown])

    def _normalised(self, shown: np.ndarray) -> np.ndarray:
        return (shown - self._middle) / self._width


def _import_pygame() -> None:
    """Readies Gymnasium's drawing for memory: no display, sound card, greeting or warning."""
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("pygame")


@gin.configurable(module="pipelines.environments")
def classic_control(
    *,
    seed: int,
    task: str = "CartPole-v1",
    hide_velocities: bool = False,
    normalise: bool = False,
) -> ClassicControl:
    """Makes one of Gymnasium's classic control tasks with discrete actions.

    Args:
      seed: of the task's initial states.
      task: one of `TASKS`.
      hide_velocities: positions and angles alone are observed, so that it takes a memory to act
        well; such a task's name ends in `-positions`.
      normalise: what has bounds is observed on a scale on which they are −1 and 1. CartPole's
        angle is within a fifth of a radian, a fiftieth of it a step: little beside its position.

    Raises:
      UserError: if there is no such task, or one of the others is no flag.
    """
    check_choice("classic_control.task", task, TASKS)
    check_flag("classic_control.hide_velocities", hide_velocities)
    check_flag("classic_control.normalise", normalise)
    import gymnasium

    environment = gymnasium.make(task, render_mode="rgb_array", disable_env_checker=True)
    shown = _POSITIONS[task] if hide_velocities else None
    name = f"gymnasium/{task}-positions" if hide_velocities else f"gymnasium/{task}"
    return ClassicControl(environment, name, seed, shown, normalise)
