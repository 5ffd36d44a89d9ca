"""Atari 2600 games through ale-py as dm_env, from pixels.

Bellemare et al., "The Arcade Learning Environment: An Evaluation Platform for General Agents", 2013
(https://arxiv.org/abs/1207.4708).
"""

from __future__ import annotations

import base64
import dataclasses
import functools
from typing import Any

import dm_env
import gin
import numpy as np
from dm_env import specs

from pipelines.environments import random_states
from pipelines.environments.arguments import check_choice, check_flag, check_integer
from pipelines.system.errors import UserError

MIN_IMAGE_SIZE = 8
MAX_IMAGE_SIZE = 1024

_NOOP = 0


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """What lies between the emulator and the agent; see `atari`, which has the defaults."""

    image_size: tuple[int, int]
    frame_skip: int
    sticky_actions: float
    max_episode_frames: int
    noop_max: int
    clip_rewards: bool
    grayscale: bool
    levels: int
    end_on_life_loss: bool


class Atari(dm_env.Environment):
    """One game.

    Observations are uint8 [H, W, 3], or [H, W, 1] in grey: the greater of a step's last two frames
    at each pixel, which undoes the flicker of sprites that are drawn in every other frame, averaged
    down to that size. Actions are int32 scalars. Rewards, the score's change over a step's frames,
    and discounts are float32 scalars; the last step's discount is 0 where the game was over and 1
    where the limit of frames cut it off.

    The emulator goes back to one and the same state before each game: all chance is in the number
    of no-ops and in sticky actions, both drawn here.

    Attributes:
      name: 'atari/' and the game.
      action_meanings: what each action does, such as 'UPLEFT'.
    """

    def __init__(
        self, emulator: Any, name: str, seed: int, actions: list[Any], settings: Preprocessing
    ) -> None:
        """Wraps `emulator`, an ale_py.ALEInterface that has just loaded its ROM."""
        self.name = name
        self._emulator, self._actions, self._settings = emulator, actions, settings
        self.action_meanings = tuple(action.name for action in actions)
        self._generator = np.random.Generator(np.random.PCG64(seed))
        self._power_on = emulator.cloneSystemState()
        channels = () if settings.grayscale else (3,)
        # The last frame but one that was looked at, and the last.
        self._screens = np.zeros((2, *emulator.getScreenDims(), *channels), np.uint8)
        self._frames, self._held = 0, actions[_NOOP]
        self._reset_next_step, self._game_goes_on = True, False

    def reset(self) -> dm_env.TimeStep:
        """Starts a game, or the next life where losing one has ended the episode."""
        goes_on = self._reset_next_step and self._game_goes_on
        self._reset_next_step = self._game_goes_on = False
        self._frames, self._held = 0, self._actions[_NOOP]
        if goes_on:
            self._advance(self._actions[_NOOP])
        else:
            self._start_game()
        self._look()
        self._screens[0] = self._screens[1]
        return dm_env.restart(self._observe())

    def step(self, action: np.ndarray | int) -> dm_env.TimeStep:
        """Holds `action` for `frame_skip` frames; after a LAST step a new episode begins instead.

        Raises:
          ValueError: if `action` is not one of the game's.
        """
        if self._reset_next_step:
            return self.reset()
        if not 0 <= int(action) < len(self._actions):
            count = len(self._actions)
            raise ValueError(f"action is {action}, expected an integer from 0 to {count - 1}")
        reward, terminal = self._hold(self._actions[int(action)])
        self._reset_next_step = terminal or self._frames >= self._settings.max_episode_frames
        return dm_env.TimeStep(
            dm_env.StepType.LAST if self._reset_next_step else dm_env.StepType.MID,
            np.float32(np.clip(reward, -1, 1) if self._settings.clip_rewards else reward),
            np.float32(0.0 if terminal else 1.0),
            self._observe(),
        )

    def observation_spec(self) -> specs.BoundedArray:
        """Pixels, uint8 [H, W, 3], or [H, W, 1] in grey."""
        shape = (*self._settings.image_size, 1 if self._settings.grayscale else 3)
        return specs.BoundedArray(shape, np.uint8, 0, 255, name="pixels")

    def action_spec(self) -> specs.DiscreteArray:
        """The joystick's positions, an int32 scalar; 0 does nothing."""
        return specs.DiscreteArray(len(self._actions), dtype=np.int32, name="action")

    def reward_spec(self) -> specs.Array:
        """A float32 scalar, in points."""
        return specs.Array((), np.float32, name="reward")

    def discount_spec(self) -> specs.BoundedArray:
        """A float32 scalar, 0 or 1."""
        return specs.BoundedArray((), np.float32, 0.0, 1.0, name="discount")

    def render(self, height: int = 210, width: int = 160) -> np.ndarray:
        """Returns the screen as uint8 [height, width, 3]."""
        return _resize(self._emulator.getScreenRGB(), height, width)

    def random_state(self) -> dict[str, Any]:
        """Returns as JSON-able data what fixes, between episodes, all to come.

        That is the generator and, where the last episode has ended with a life, the game.
        """
        goes_on = self._reset_next_step and self._game_goes_on
        game = self._emulator.cloneSystemState().serialize() if goes_on else None
        return {
            "generator": random_states.from_generator(self._generator),
            "game": None if game is None else base64.b64encode(game).decode(),
        }

    def set_random_state(self, state: dict[str, Any]) -> None:
        """Restores what `random_state` gave; the next step starts a new episode."""
        import ale_py

        random_states.to_generator(state["generator"], self._generator)
        self._reset_next_step, self._game_goes_on = True, state["game"] is not None
        if self._game_goes_on:
            game = ale_py.ALEState(base64.b64decode(state["game"]))
            self._emulator.restoreSystemState(game)

    def _start_game(self) -> None:
        """Resets, then does nothing for 1 to `noop_max` frames."""
        # A reset alone leaves traces of the game before in some of them.
        self._emulator.restoreSystemState(self._power_on)
        self._emulator.reset_game()
        if self._settings.noop_max:
            for _ in range(int(self._generator.integers(1, self._settings.noop_max + 1))):
                self._advance(self._actions[_NOOP])
                if self._emulator.game_over():
                    self._emulator.reset_game()

    def _hold(self, action: Any) -> tuple[int, bool]:
        """Returns a step's points and whether it ended the game, or a life that counts."""
        reward, lives, ended = 0, self._emulator.lives(), False
        skip, limit = self._settings.frame_skip, self._settings.max_episode_frames
        for i in range(skip):
            reward += self._advance(self._stick(action))
            over = self._emulator.game_over()
            lost = self._settings.end_on_life_loss and self._emulator.lives() < lives
            self._game_goes_on = lost and not over
            ended = over or lost or self._frames >= limit
            if ended or i >= skip - 2:
                self._look()
            if ended:
                break
        return reward, over or lost

    def _stick(self, action: Any) -> Any:
        """Returns what the console gets: at times, by chance, what it got before."""
        sticky = self._settings.sticky_actions
        if not sticky or self._generator.random() >= sticky:
            self._held = action
        return self._held

    def _advance(self, action: Any) -> int:
        self._frames += 1
        return self._emulator.act(action)

    def _look(self) -> None:
        self._screens[0] = self._screens[1]
        if self._settings.grayscale:
            self._emulator.getScreenGrayscale(self._screens[1])
        else:
            self._emulator.getScreenRGB(self._screens[1])

    def _observe(self) -> np.ndarray:
        frame = _resize(np.maximum(*self._screens), *self._settings.image_size)
        frame = _nearest(frame, self._settings.levels)
        return frame[..., np.newaxis] if self._settings.grayscale else frame


@gin.configurable(module="pipelines.environments")
def atari(
    *,
    seed: int,
    game: str = "pong",
    image_size: int | tuple[int, int] = 96,
    frame_skip: int = 4,
    sticky_actions: float = 0.0,
    full_action_set: bool = True,
    max_episode_frames: int = 108_000,
    noop_max: int = 30,
    clip_rewards: bool = False,
    grayscale: bool = False,
    levels: int = 256,
    end_on_life_loss: bool = False,
) -> Atari:
    """Makes one of the games whose ROMs ale-py carries.

    Defaults are those of Schrittwieser et al., "Mastering Atari, Go, chess and shogi by planning
    with a learned model", 2020 (https://arxiv.org/abs/1911.08265), and where it says nothing those
    of Mnih et al., "Human-level control through deep reinforcement learning", 2015 (DQN).

    Args:
      seed: of no-ops and sticky actions.
      game: in lower case with underscores, such as 'ms_pacman'.
      image_size: pixels, of a square's side or height and width. MuZero: 96; DQN: 84; SimPLe: half
        of the screen, (105, 80).
      frame_skip: frames that an action is held. Both: 4.
      sticky_actions: probability at each frame that the console gets the action of the frame before
        once more. Both: 0; Machado et al., "Revisiting the Arcade Learning Environment", 2018
        (https://arxiv.org/abs/1709.06009): 0.25.
      full_action_set: all 18 positions of the joystick, as Machado et al. recommend; else those
        that do something in this game, DQN's choice.
      max_episode_frames: of 60 a second, no-ops included; MuZero: 108 000, half an hour.
      noop_max: a game begins with 1 to so many frames without action. Both: 30; 0: none.
      clip_rewards: to [-1, 1], as DQN's are; MuZero's are not.
      grayscale: brightness instead of RGB, as DQN sees it; MuZero: RGB.
      levels: that a pixel can have, evenly spaced from 0 to 255; fewer are less for a model of the
        images to predict.
      end_on_life_loss: an episode is one life, with discount 0 at its end, as DQN trains; Machado
        et al. advise against it.

    Raises:
      UserError: there is no such game, or a value is out of range.
    """
    check_choice("atari.game", game, games())
    sides = image_size if isinstance(image_size, (tuple, list)) and len(image_size) == 2 else ()
    for side in sides or (image_size,):
        check_integer("atari.image_size", side, MIN_IMAGE_SIZE, MAX_IMAGE_SIZE)
    check_integer("atari.frame_skip", frame_skip, 1)
    check_integer("atari.max_episode_frames", max_episode_frames, 1)
    check_integer("atari.noop_max", noop_max, 0)
    check_integer("atari.levels", levels, 2, 256)
    check_flag("atari.full_action_set", full_action_set)
    check_flag("atari.clip_rewards", clip_rewards)
    check_flag("atari.grayscale", grayscale)
    check_flag("atari.end_on_life_loss", end_on_life_loss)
    _check_probability("atari.sticky_actions", sticky_actions)
    settings = Preprocessing(
        image_size=tuple(sides) or (image_size, image_size),
        frame_skip=frame_skip,
        sticky_actions=sticky_actions,
        max_episode_frames=max_episode_frames,
        noop_max=noop_max,
        clip_rewards=clip_rewards,
        grayscale=grayscale,
        levels=levels,
        end_on_life_loss=end_on_life_loss,
    )
    emulator = _load(game)
    all_actions, few = emulator.getLegalActionSet(), emulator.getMinimalActionSet()
    actions = list(all_actions if full_action_set else few)
    return Atari(emulator, f"atari/{game}", seed, actions, settings)


@functools.cache
def games() -> tuple[str, ...]:
    """Returns the names of all games that one player can play."""
    import ale_py
    from ale_py import roms

    def supported(game: str) -> bool:
        return ale_py.ALEInterface.isSupportedROM(roms.get_rom_path(game)) is not None

    # Loading any other ends the process.
    return tuple(game for game in roms.get_all_rom_ids() if supported(game))


def _load(game: str) -> Any:
    import ale_py
    from ale_py import roms

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    emulator = ale_py.ALEInterface()
    emulator.setFloat("repeat_action_probability", 0.0)  # Ours is drawn from our generator.
    emulator.setInt("random_seed", 0)
    emulator.loadROM(roms.get_rom_path(game))
    return emulator


def _check_probability(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise UserError(f"{name} is {value!r}, expected a number from 0 to below 1")


def _resize(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns `frame`, uint8 [H, W] or [H, W, 3], averaged over the area of each new pixel."""
    from PIL import Image

    box = Image.Resampling.BOX
    return np.array(Image.fromarray(frame).resize((width, height), box))


def _nearest(frame: np.ndarray, levels: int) -> np.ndarray:
    """Returns `frame`, uint8, with the nearest of so many values at each pixel."""
    if levels == 256:
        return frame
    values = np.arange(256) * ((levels - 1) / 255)
    return np.round(np.round(values) * (255 / (levels - 1))).astype(np.uint8)[frame]
