"""DeepMind control suite as dm_env, from pixels or state, with action repeat.

Tassa et al., "DeepMind Control Suite", 2018 (https://arxiv.org/abs/1801.00690).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dm_env
import gin
import numpy as np
from absl import logging
from dm_env import specs

from pipelines.environments import random_states, rendering
from pipelines.environments.arguments import check_choice, check_flag, check_integer
from pipelines.system.errors import UserError, nearest

if TYPE_CHECKING:
    from agents.simulators import Simulator

# Simulator steps per action. Hafner et al., "Learning Latent Dynamics for Planning from Pixels",
# 2019, appendix A; what the paper does not use takes 2, as most later work does.
ACTION_REPEAT = {
    "cartpole": 8,
    "reacher": 4,
    "cheetah": 4,
    "finger": 2,
    "ball_in_cup": 4,
    "walker": 2,
}
DEFAULT_ACTION_REPEAT = 2

# Cameras for the domains whose first one does not show the whole task: quadruped's does not follow
# the body, and dog's is the ball's own in fetch.
CAMERA = {"quadruped": "y", "dog": "y-axis"}
DEFAULT_CAMERA = 0

# Simulator steps in an episode. The suite's own limits come to the same, but lqr's has none.
EPISODE_STEPS = 1000

MIN_IMAGE_SIZE = 8
MAX_IMAGE_SIZE = 1024

# Bounds from here on mean `unlimited` (lqr) and are not rescaled.
_UNBOUNDED = 1e9


class ControlSuite(dm_env.Environment):
    """One task of the suite.

    Observations are uint8 [S, S, 3] pixels or one float32 [n] state vector (the task's observation
    dictionary, flattened in its order). Actions are float32 [A] in [-1, 1], rescaled to the task's
    bounds. Rewards, summed over the repeated steps, and discounts, multiplied, are float32 scalars.
    """

    def __init__(
        self,
        environment: Any,
        name: str,
        action_repeat: int,
        frames: rendering.FrameRenderer,
        image_size: int | None,
        supersampling: int,
        wrap_angles: bool = False,
    ) -> None:
        """Wraps `environment` (dm_control's); `image_size` None means state observations."""
        self.name = name
        self.action_repeat = action_repeat
        self._environment = environment
        self._frames = frames
        self._image_size = image_size
        self._supersampling = supersampling
        self._wrapped = _free_hinges(environment.physics.model) if wrap_angles else None
        self._reset_next_step = True
        self._steps = 0
        self._action_spec, self._action_offset, self._action_scale = _normalise(
            environment.action_spec()
        )
        self._observation_spec = self._make_observation_spec()

    def reset(self) -> dm_env.TimeStep:
        """Starts an episode."""
        self._reset_next_step = False
        self._steps = 0
        timestep = self._environment.reset()
        return dm_env.restart(self._observe(timestep))

    def step(self, action: np.ndarray) -> dm_env.TimeStep:
        """Applies `action` for `action_repeat` simulator steps, fewer at the episode's end.

        After a LAST step the action is ignored and a new episode begins.
        """
        if self._reset_next_step:
            return self.reset()
        control = self._action_offset + self._action_scale * np.asarray(action, np.float64)
        if self._wrapped is not None:
            angles = self._environment.physics.data.qpos
            angles[self._wrapped] = (angles[self._wrapped] + np.pi) % (2 * np.pi) - np.pi
        reward, discount = 0.0, 1.0
        for _ in range(self.action_repeat):
            timestep = self._environment.step(control)
            reward += timestep.reward
            discount *= timestep.discount
            self._steps += 1
            self._reset_next_step = timestep.last() or self._steps == EPISODE_STEPS
            if self._reset_next_step:
                break
        step_type = dm_env.StepType.LAST if self._reset_next_step else dm_env.StepType.MID
        return dm_env.TimeStep(
            step_type, np.float32(reward), np.float32(discount), self._observe(timestep)
        )

    def observation_spec(self) -> specs.Array:
        """Pixels [S, S, 3] in 0..255, or state [n]."""
        return self._observation_spec

    def action_spec(self) -> specs.BoundedArray:
        """Normalised actions: float32 [A] in [-1, 1]."""
        return self._action_spec

    def reward_spec(self) -> specs.Array:
        """A float32 scalar; each simulator step gives 0 to 1 in nearly every task."""
        return specs.Array((), np.float32, name="reward")

    def discount_spec(self) -> specs.BoundedArray:
        """A float32 scalar: 1, or 0 where the task itself ends the episode."""
        return specs.BoundedArray((), np.float32, 0.0, 1.0, name="discount")

    def render(self, height: int = 240, width: int = 320) -> np.ndarray:
        """Returns the present state as uint8 [height, width, 3]."""
        return self._frames(height, width)

    def random_state(self) -> random_states.RandomState:
        """Returns the task's generator as JSON-able data; between episodes it fixes all to come."""
        return random_states.from_legacy(self._environment.task.random)

    def set_random_state(self, state: random_states.RandomState) -> None:
        """Restores what `random_state` gave; the next step starts a new episode."""
        random_states.to_legacy(state, self._environment.task.random)
        self._reset_next_step = True

    def simulator(self) -> Simulator:
        """Returns the simulation for planners that read it; see `Simulator`."""
        from agents.simulators import Simulator
        from pipelines.environments.suite_rewards import reward_function

        physics = self._environment.physics
        steps = round(self._environment.control_timestep() / physics.timestep())
        return Simulator(
            model=physics.model.ptr,
            data=physics.data.ptr,
            steps_per_reward=steps,
            rewards_per_action=self.action_repeat,
            control=lambda actions: self._action_offset + self._action_scale * actions,
            rewards=reward_function(self._environment),
            # The suite's own tasks pay at most 1 each step (Tassa et al. 2018, section 3).
            reward_bound=getattr(self._environment.task, "reward_bound", 1.0),
        )

    def close(self) -> None:
        """Frees the simulation and its OpenGL context; nothing else may be called afterwards."""
        self._frames.close()

    def _observe(self, timestep: dm_env.TimeStep) -> np.ndarray:
        if self._image_size is not None:
            size = self._image_size * self._supersampling
            return _shrink(self._frames(size, size), self._supersampling)
        return _flatten(timestep.observation)

    def _make_observation_spec(self) -> specs.Array:
        if self._image_size is not None:
            shape = (self._image_size, self._image_size, 3)
            return specs.BoundedArray(shape, np.uint8, 0, 255, name="pixels")
        sizes = [int(np.prod(s.shape)) for s in self._environment.observation_spec().values()]
        return specs.Array((sum(sizes),), np.float32, name="state")


@gin.configurable(module="pipelines.environments")
def control_suite(
    *,
    seed: int,
    task: str = "cartpole_balance",
    action_repeat: int | None = None,
    observation: str = "pixels",
    image_size: int = 64,
    camera_id: int | str | None = None,
    cheap_rendering: bool = True,
    supersampling: int = 1,
    wrap_angles: bool = False,
) -> ControlSuite:
    """Makes one task of the DeepMind control suite.

    Args:
      seed: of the task's initial states.
      task: domain and task, as in 'cartpole_swingup' or 'ball_in_cup_catch'.
      action_repeat: simulator steps per action; None takes PlaNet's for the domain, else 2.
      observation: 'pixels' or 'state'.
      image_size: side of the square frames, in pixels.
      camera_id: number or name of the task's camera, -1 for the free one; None takes the domain's
        usual one.
      cheap_rendering: draw without shadows, reflections and multisampling, and cut round shapes
        coarser, about thirty times as fast on a CPU; it holds for `render` too.
      supersampling: each pixel is the mean of that many squared drawn ones; keeps thin things, and
        where between two pixels they are, in small images. Cheaper than multisampling on a CPU.
      wrap_angles: bring the angles of hinges without limits back to [−π, π) before each action. The
        simulation is the same, but a state does not grow with every turn (reacher's shoulder).

    Raises:
      UserError: if an argument is out of range or no renderer is there for pixels.
    """
    check_choice("control_suite.observation", observation, ("pixels", "state"))
    check_integer("control_suite.image_size", image_size, MIN_IMAGE_SIZE, MAX_IMAGE_SIZE)
    check_flag("control_suite.cheap_rendering", cheap_rendering)
    check_flag("control_suite.wrap_angles", wrap_angles)
    check_integer("control_suite.supersampling", supersampling, 1, MAX_IMAGE_SIZE // image_size)
    if action_repeat is not None:
        check_integer("control_suite.action_repeat", action_repeat, 1)
    if cheap_rendering:
        # Small frames gain nothing from llvmpipe's threads, which would take the learner's cores.
        os.environ.setdefault("LP_NUM_THREADS", "0")
    suite = rendering.import_suite()
    domain, task_name = _split_task(task, suite.ALL_TASKS)
    if observation == "pixels":
        rendering.check_renderer()
    with _quiet():
        environment = suite.load(domain, task_name, task_kwargs={"random": seed})
    camera = _check_camera(camera_id, domain, environment.physics.model)
    _prepare_model(environment.physics.model, cheap_rendering, image_size * supersampling)
    return ControlSuite(
        environment,
        name=f"dm_control/{task}",
        action_repeat=action_repeat or ACTION_REPEAT.get(domain, DEFAULT_ACTION_REPEAT),
        frames=rendering.FrameRenderer(environment.physics, camera, cheap_rendering),
        image_size=image_size if observation == "pixels" else None,
        supersampling=supersampling,
        wrap_angles=wrap_angles,
    )


def _free_hinges(model: Any) -> np.ndarray:
    """Where the angles of hinges without limits are in the positions."""
    import mujoco  # As the suite does: its import takes a second.

    free = (model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE) & (model.jnt_limited == 0)
    return model.jnt_qposadr[free]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Holds back warnings on the suite's own model files, which nobody here can act on."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def _split_task(task: object, all_tasks: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """Returns (domain, task); a lookup, since domains hold underscores too."""
    by_name = {f"{domain}_{name}": (domain, name) for domain, name in all_tasks}
    if task not in by_name:
        raise UserError(
            f"control_suite.task is {task!r}, expected a domain_task of the DeepMind control suite"
            f"{nearest(str(task), by_name)}"
        )
    return by_name[task]


def _check_camera(camera_id: int | str | None, domain: str, model: Any) -> int | str:
    names = [model.id2name(i, "camera") for i in range(model.ncam)]
    if camera_id is None:
        return CAMERA.get(domain, DEFAULT_CAMERA)
    if isinstance(camera_id, str):
        return check_choice("control_suite.camera_id", camera_id, names)
    return check_integer("control_suite.camera_id", camera_id, -1, model.ncam - 1)


def _prepare_model(model: Any, cheap_rendering: bool, image_size: int) -> None:
    if cheap_rendering:
        rendering.cheapen(model)
    buffer = model.vis.global_
    buffer.offwidth = max(buffer.offwidth, image_size)
    buffer.offheight = max(buffer.offheight, image_size)


def _shrink(frame: np.ndarray, factor: int) -> np.ndarray:
    """Averages squares of factor × factor pixels: uint8 [S·f, S·f, 3] → [S, S, 3]."""
    if factor == 1:
        return frame
    size = frame.shape[0] // factor
    squares = frame.reshape(size, factor, size, factor, 3)
    return np.round(squares.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)


def _normalise(spec: specs.BoundedArray) -> tuple[specs.BoundedArray, np.ndarray, np.ndarray]:
    """Returns the [-1, 1] spec and the offset and scale [A] that lead back to the task's bounds."""
    minimum = np.broadcast_to(spec.minimum, spec.shape)
    maximum = np.broadcast_to(spec.maximum, spec.shape)
    bounded = (minimum > -_UNBOUNDED) & (maximum < _UNBOUNDED)
    scale = np.where(bounded, (maximum - minimum) / 2, 1.0)
    offset = np.where(bounded, (maximum + minimum) / 2, 0.0)
    return specs.BoundedArray(spec.shape, np.float32, -1.0, 1.0, name="action"), offset, scale


def _flatten(observation: dict[str, np.ndarray]) -> np.ndarray:
    """Concatenates the dictionary's values in its order to float32 [n]."""
    return np.concatenate([np.ravel(value) for value in observation.values()]).astype(np.float32)
