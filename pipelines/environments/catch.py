"""Catch from pixels: a paddle, balls that fall one at a time, and a best return that is known.

    # # # # # # # # # # # #      a cell is 2×2 pixels; walls are dark grey
    #       o             #      the ball, white, falls a cell a step
    #                     #
      …
    #                     #
    #         = =         #      the paddle, light grey, is two cells wide

A ball that reaches the paddle's row is caught, +1, or lost, −1, and the next one appears in any
column of the topmost row in the same step. While a ball falls the paddle comes from everywhere to
everywhere, so that every ball can be caught. Mnih et al., "Recurrent models of visual attention",
2014, have the game with one ball an episode.
"""

from __future__ import annotations

import dm_env
import gin
import numpy as np
from dm_env import specs

from pipelines.environments import random_states
from pipelines.environments.arguments import check_integer

SIZE = 24
# Grey levels.
EMPTY, WALL, PADDLE, BALL = 0, 85, 170, 255
# Cells inside the walls; the paddle is in the last row.
COLUMNS, ROWS = 10, 11
PADDLE_CELLS = 2


class Catch(dm_env.Environment):
    """An episode is so many balls, each of which takes `ROWS − 1` steps.

    Observations are uint8 [24, 24, 1] of four grey levels, actions int32 scalars, rewards and
    discounts float32 scalars. No ball ends the game, so that the last step's discount is 1.

    Attributes:
      name: 'pixels/catch'.
      action_meanings: what each action does.
      best_return: of an episode.
    """

    name = "pixels/catch"
    action_meanings = ("NOOP", "LEFT", "RIGHT")

    def __init__(self, seed: int, balls: int) -> None:
        self.best_return = float(balls)
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._balls, self._fallen = balls, 0
        self._paddle, self._column, self._row = 0, 0, 0
        self._reset_next_step = True

    def reset(self) -> dm_env.TimeStep:
        """Starts an episode: paddle and ball in any column."""
        self._reset_next_step, self._fallen = False, 0
        self._paddle = int(self._generator.integers(COLUMNS - PADDLE_CELLS + 1))
        self._drop()
        return dm_env.restart(self._observe())

    def step(self, action: np.ndarray | int) -> dm_env.TimeStep:
        """Moves the paddle by a cell, then the ball; after a LAST step an episode begins.

        Raises:
          ValueError: if `action` is none of the three.
        """
        if self._reset_next_step:
            return self.reset()
        if not 0 <= int(action) < len(self.action_meanings):
            raise ValueError(f"action is {action}, expected an integer from 0 to 2")
        move = (0, -1, 1)[int(action)]
        self._paddle = min(max(self._paddle + move, 0), COLUMNS - PADDLE_CELLS)
        self._row += 1
        reward = 0.0
        if self._row == ROWS - 1:
            caught = self._paddle <= self._column < self._paddle + PADDLE_CELLS
            reward = 1.0 if caught else -1.0
            self._fallen += 1
            self._drop()
        self._reset_next_step = self._fallen == self._balls
        return dm_env.TimeStep(
            dm_env.StepType.LAST if self._reset_next_step else dm_env.StepType.MID,
            np.float32(reward),
            np.float32(1.0),
            self._observe(),
        )

    def observation_spec(self) -> specs.BoundedArray:
        """Pixels, uint8 [24, 24, 1]."""
        return specs.BoundedArray((SIZE, SIZE, 1), np.uint8, 0, 255, name="pixels")

    def action_spec(self) -> specs.DiscreteArray:
        """Stay, left, right: an int32 scalar."""
        return specs.DiscreteArray(len(self.action_meanings), dtype=np.int32, name="action")

    def reward_spec(self) -> specs.Array:
        """A float32 scalar: −1, 0 or 1."""
        return specs.Array((), np.float32, name="reward")

    def discount_spec(self) -> specs.BoundedArray:
        """A float32 scalar, 0 or 1."""
        return specs.BoundedArray((), np.float32, 0.0, 1.0, name="discount")

    def render(self, height: int = 96, width: int = 96) -> np.ndarray:
        """Returns the field, enlarged, as uint8 [height, width, 3]."""
        from PIL import Image

        frame = Image.fromarray(self._observe()[..., 0])
        frame = np.array(frame.resize((width, height), Image.Resampling.NEAREST))
        return np.repeat(frame[..., np.newaxis], 3, axis=-1)

    def random_state(self) -> random_states.RandomState:
        """Returns the generator as JSON-able data; between episodes it fixes all to come."""
        return random_states.from_generator(self._generator)

    def set_random_state(self, state: random_states.RandomState) -> None:
        """Restores what `random_state` gave; the next step starts a new episode."""
        random_states.to_generator(state, self._generator)
        self._reset_next_step = True

    def _drop(self) -> None:
        self._row, self._column = 0, int(self._generator.integers(COLUMNS))

    def _observe(self) -> np.ndarray:
        cells = np.full((ROWS + 1, COLUMNS + 2), WALL, np.uint8)
        field = cells[1:, 1:-1]
        field[:] = EMPTY
        field[self._row, self._column] = BALL
        field[ROWS - 1, self._paddle : self._paddle + PADDLE_CELLS] = PADDLE
        return cells.repeat(2, axis=0).repeat(2, axis=1)[..., np.newaxis]


@gin.configurable(module="pipelines.environments")
def catch(*, seed: int, balls: int = 20) -> Catch:
    """Makes the game.

    Args:
      seed: of where balls and paddle begin.
      balls: an episode's; its best return, and a tenth of its steps.

    Raises:
      UserError: a value is out of range.
    """
    check_integer("catch.balls", balls, 1)
    return Catch(seed, balls)
