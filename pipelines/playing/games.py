"""The game and its imagination, which get the same actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dm_env
import numpy as np
import tensorflow as tf

from agents.world import World

# Which key does what an environment calls so; of others, and of combinations, the numbers do.
_NAMES = {
    "NOOP": ".",
    "UP": "up",
    "DOWN": "down",
    "LEFT": "left",
    "RIGHT": "right",
    "FIRE": "space",
}


def keys_of(environment: dm_env.Environment) -> dict[str, int]:
    """Key → action: numbers, and arrows where the environment has `action_meanings`."""
    count = environment.action_spec().num_values
    keys = {str(action): action for action in range(min(count, 10))}
    for action, meaning in enumerate(getattr(environment, "action_meanings", ())):
        if meaning in _NAMES:
            keys[_NAMES[meaning]] = action
    return keys


def help_of(environment: dm_env.Environment, keys: Mapping[str, int]) -> str:
    """A line that says which key does what."""
    meanings = getattr(environment, "action_meanings", None)
    said: dict[int, list[str]] = {}
    for key, action in keys.items():
        said.setdefault(action, []).append(key)
    return "  ".join(
        f"{'/'.join(names)}: {meanings[action].lower() if meanings else f'action {action}'}"
        for action, names in said.items()
    )


class SideBySide:
    """Both, step by step.

    Args:
      environment: the game, of discrete actions.
      world: that imagines it.
      seed: of the imagination.

    Attributes:
      real_return, imagined_return: since the episode began, or since imagination was set right.
      steps: since then.
    """

    def __init__(self, environment: dm_env.Environment, world: World, seed: int) -> None:
        self._environment, self._world, self._seed = environment, world, seed
        self._drawn = 0
        self.begin()

    def begin(self) -> None:
        """Starts an episode, and imagination with it."""
        self._timestep = self._environment.reset()
        self._truth = self._world.reset(_row(self._timestep.observation))
        self.set_right()

    def set_right(self) -> None:
        """Imagination goes on from what is real."""
        self._state = self._truth
        self._imagined = np.asarray(self._timestep.observation)
        self.real_return = self.imagined_return = 0.0
        self.steps, self._imagined_over = 0, False

    def step(self, action: int) -> None:
        """Does an action in both; behind an episode's end another one begins."""
        if self._timestep.last():
            self.begin()
            return
        self._timestep = self._environment.step(action)
        self._truth = self._world.seen(self._truth, _row(self._timestep.observation))
        self.real_return += float(self._timestep.reward)
        self.steps += 1
        if not self._imagined_over:
            self._imagine(action)

    def frames(self) -> Sequence[np.ndarray]:
        """What is real and what is imagined, uint8 [H, W, C] each."""
        return np.asarray(self._timestep.observation), self._imagined

    def said(self) -> str:
        """A line for below the pictures."""
        line = (
            f"step {self.steps}  real {self.real_return:g}  imagined {self.imagined_return:g}"
            f"  pixels apart {np.mean(np.not_equal(*self.frames())):.1%}"
        )
        ends = (self._timestep.last(), " the game is over"), (self._imagined_over, " imagined over")
        return line + "".join(text for over, text in ends if over)

    def _imagine(self, action: int) -> None:
        seed = tf.constant([self._seed, self._drawn], tf.int32)
        answer = self._world.step(self._state, tf.constant([action], tf.int32), seed)
        self._drawn += 1
        self._state, self._imagined = answer.state, answer.observation[0].numpy()
        self.imagined_return += float(answer.reward[0])
        self._imagined_over = float(answer.discount[0]) == 0


def _row(observation: np.ndarray) -> tf.Tensor:
    return tf.constant(np.asarray(observation)[None])
