"""The four tasks of PETS as dm_env over MuJoCo: their rewards, horizons and starts.

Chua, Calandra, McAllister, Levine, "Deep Reinforcement Learning in a Handful of Trials using
Probabilistic Dynamics Models", 2018, section 6 and appendix A. Half-cheetah and the pusher's arm
are Gymnasium's models; cartpole and reacher stand in `models/`.

Each task is one of dm_control's kind, so that all of `ControlSuite` holds for it: actions in
[-1, 1], random states, films, and the simulator for planners. Rewards charge for actions in the
actuators' own units.
"""

from __future__ import annotations

import abc
import pathlib
import warnings
from typing import Any

import gin
import numpy as np
from dm_env import specs

from pipelines.environments import rendering
from pipelines.environments.arguments import check_choice, check_flag
from pipelines.environments.control_suite import ControlSuite

_OWN_MODELS = pathlib.Path(__file__).parent / "models"
_FILM_SIDE = 640  # The largest frame that can be drawn.


class Task(abc.ABC):
    """A task: what an episode starts from, what is observed, what is paid.

    Attributes:
      model: file of its MuJoCo model.
      horizon: steps in an episode.
      frame_skip: simulator steps in one of them.
      camera: that films it.
      reward_bound: what no reward exceeds; None: nothing is known.
      random: generator of the starts.
    """

    model: pathlib.Path
    horizon: int
    frame_skip: int
    camera: str | int
    reward_bound: float | None

    def __init__(self, seed: int) -> None:
        self.random = np.random.RandomState(seed)

    @abc.abstractmethod
    def initialize_episode(self, physics: Any) -> None:
        """Sets positions and velocities."""

    @abc.abstractmethod
    def observe(self, physics: Any) -> np.ndarray:
        """The observation [n]."""

    @abc.abstractmethod
    def rollout_rewards(self, rollouts: Any) -> np.ndarray:
        """Rewards [N, S] of `agents.simulators.Rollouts`; the task's one definition of them."""

    def add_sensors(self, spec: Any) -> None:
        """Adds sensors that rewards and observations read to a model that lacks them."""
        return None

    # dm_control's protocol of tasks.

    def action_spec(self, physics: Any) -> Any:
        """Bounds of the actuators."""
        from dm_control import mujoco

        return mujoco.action_spec(physics)

    def observation_spec(self, physics: Any) -> dict[str, specs.Array]:
        """The observation's size, by a name."""
        return {"state": specs.Array(self.observe(physics).shape, np.float64)}

    def get_observation(self, physics: Any) -> dict[str, np.ndarray]:
        """The observation, by a name."""
        return {"state": self.observe(physics)}

    def before_step(self, action: np.ndarray, physics: Any) -> None:
        """Sets the control and notes where the step starts."""
        physics.set_control(action)
        self._before = _moment(physics)

    def after_step(self, physics: Any) -> None:
        """Nothing is left to do."""
        return None

    def get_reward(self, physics: Any) -> float:
        """The reward of the last step: a rollout of one."""
        from agents.simulators import Rollouts

        moments = zip(self._before, _moment(physics), strict=True)
        time, qpos, qvel, sensordata = (np.stack(values)[None] for values in moments)
        control = np.array(physics.data.ctrl)[None, None]
        return float(
            self.rollout_rewards(Rollouts(time, qpos, qvel, sensordata, control, None))[0, 0]
        )

    def get_termination(self, physics: Any) -> None:
        """Episodes end by their length alone."""
        return None


class Cartpole(Task):
    """Swings a pole up and holds its tip at the height of 0.6 m above the rail's middle."""

    model = _OWN_MODELS / "pets_cartpole.xml"
    horizon, frame_skip, camera = 200, 2, "side"
    length, reward_bound = 0.6, 1.0

    def initialize_episode(self, physics):
        """All positions and velocities N(0, 0.1²): hanging."""
        physics.data.qpos[:] = self.random.normal(0, 0.1, 2)
        physics.data.qvel[:] = self.random.normal(0, 0.1, 2)

    def observe(self, physics):
        """Cart, angle, their velocities."""
        return np.concatenate([physics.data.qpos, physics.data.qvel])

    def rollout_rewards(self, rollouts):
        """exp(−‖tip − (0, 0.6)‖² / 0.6²) − 0.01 ‖a‖²."""
        position, angle = rollouts.qpos[:, 1:, 0], rollouts.qpos[:, 1:, 1]
        x = position - self.length * np.sin(angle)
        z = -self.length * np.cos(angle) - self.length
        return np.exp(-(x**2 + z**2) / self.length**2) - 0.01 * _squared(rollouts.control)


class Reacher(Task):
    """Brings the end of an arm of seven joints to a target."""

    model = _OWN_MODELS / "pets_reacher.xml"
    horizon, frame_skip, camera, reward_bound = 150, 2, "above", 0.0

    def initialize_episode(self, physics):
        """The arm stretched out and at rest, the target N((0, 0.25, 0), 0.1²)."""
        physics.data.qpos[-3:] += self.random.normal(0, 0.1, 3)

    def observe(self, physics):
        """Joint angles [7], the target's place [3], joint velocities [7]."""
        return np.concatenate([physics.data.qpos, physics.data.qvel[:-3]])

    def rollout_rewards(self, rollouts):
        """−‖end − target‖² − 0.01 ‖a‖²."""
        away = rollouts.sensordata[:, 1:] - rollouts.qpos[:, 1:, -3:]
        return -_squared(away) - 0.01 * _squared(rollouts.control)


class Pusher(Task):
    """Pushes a cylinder to a goal with an arm of seven joints."""

    horizon, frame_skip, camera, reward_bound = 150, 4, -1, 0.0

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.model = _gymnasium_model("pusher_v5.xml")

    def add_sensors(self, spec):
        """The places of the arm's tip, the cylinder and the goal."""
        import mujoco

        for name in ("tips_arm", "object", "goal"):
            spec.add_sensor(
                name=name,
                type=mujoco.mjtSensor.mjSENS_FRAMEPOS,
                objtype=mujoco.mjtObj.mjOBJ_XBODY,
                objname=name,
            )

    def initialize_episode(self, physics):
        """The cylinder N((−0.25, 0.15), 0.025²) from the goal; joint velocities ±0.005."""
        physics.data.qpos[-4:-2] = np.array([-0.25, 0.15]) + self.random.normal(0, 0.025, 2)
        physics.data.qpos[-2:] = 0
        physics.data.qvel[:-4] = self.random.uniform(-0.005, 0.005, 7)
        physics.data.qvel[-4:] = 0

    def observe(self, physics):
        """Joint angles [7] and velocities [7], places of tip [3] and cylinder [3]."""
        data = physics.data
        return np.concatenate([data.qpos[:7], data.qvel[:7], data.sensordata[:6]])

    def rollout_rewards(self, rollouts):
        """−0.5 |cylinder − tip|₁ − 1.25 |cylinder − goal|₁ before the step, −0.1 ‖a‖²."""
        tip, cylinder, goal = np.split(rollouts.sensordata[:, :-1], 3, axis=-1)
        near = np.abs(cylinder - tip).sum(axis=-1)
        far = np.abs(cylinder - goal).sum(axis=-1)
        return -0.5 * near - 1.25 * far - 0.1 * _squared(rollouts.control)


class HalfCheetah(Task):
    """Runs forward."""

    horizon, frame_skip, camera, reward_bound = 1000, 5, "track", None

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.model = _gymnasium_model("half_cheetah.xml")
        self._start: float | None = None

    def initialize_episode(self, physics):
        """All positions and velocities N(0, 0.001²)."""
        physics.data.qpos[:] = self.random.normal(0, 0.001, 9)
        physics.data.qvel[:] = self.random.normal(0, 0.001, 9)
        self._start = None

    def before_step(self, action, physics):
        """Notes where the torso is."""
        super().before_step(action, physics)
        self._start = float(physics.data.qpos[0])

    def observe(self, physics):
        """Mean forward velocity over the last step, positions but the first [8], velocities [9]."""
        data = physics.data
        moved = 0.0 if self._start is None else data.qpos[0] - self._start
        speed = moved / (self.frame_skip * physics.timestep())
        return np.concatenate([[speed], data.qpos[1:], data.qvel])

    def rollout_rewards(self, rollouts):
        """Mean forward velocity − 0.1 ‖a‖²."""
        speed = np.diff(rollouts.qpos[..., 0], axis=1) / np.diff(rollouts.time, axis=1)
        return speed - 0.1 * _squared(rollouts.control)


TASKS = {
    "cartpole": Cartpole,
    "reacher": Reacher,
    "pusher": Pusher,
    "half_cheetah": HalfCheetah,
}


@gin.configurable(module="pipelines.environments")
def pets_task(*, seed: int, task: str = "cartpole", cheap_rendering: bool = True) -> ControlSuite:
    """Makes one of the paper's tasks, with state observations.

    Args:
      seed: of the task's initial states.
      task: one of `TASKS`.
      cheap_rendering: as `control_suite`'s.

    Raises:
      UserError: if there is no such task.
    """
    check_choice("pets_task.task", task, tuple(TASKS))
    check_flag("pets_task.cheap_rendering", cheap_rendering)
    rendering.import_suite()
    import mujoco as bindings
    from dm_control import mujoco
    from dm_control.rl import control

    made = TASKS[task](seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # On Gymnasium's files, which nobody here can act on.
        spec = bindings.MjSpec.from_file(str(made.model))
        made.add_sensors(spec)
        spec.compile()
        physics = mujoco.Physics.from_xml_string(spec.to_xml())
    if cheap_rendering:
        rendering.cheapen(physics.model)
    physics.model.vis.global_.offwidth = physics.model.vis.global_.offheight = _FILM_SIDE
    step = made.frame_skip * physics.timestep()
    environment = control.Environment(
        physics,
        made,
        time_limit=(made.horizon - 0.5) * step,  # Half a step off, so that rounding cannot matter.
        n_sub_steps=made.frame_skip,
    )
    return ControlSuite(
        environment,
        name=f"pets/{task}",
        action_repeat=1,
        frames=rendering.FrameRenderer(physics, made.camera, cheap_rendering),
        image_size=None,
        supersampling=1,
    )


def _gymnasium_model(name: str) -> pathlib.Path:
    import gymnasium

    return pathlib.Path(gymnasium.__file__).parent / "envs" / "mujoco" / "assets" / name


def _moment(physics: Any) -> tuple[np.ndarray, ...]:
    data = physics.data
    values = (data.time, data.qpos, data.qvel, data.sensordata)
    return tuple(np.array(value, np.float64) for value in values)


def _squared(values: np.ndarray) -> np.ndarray:
    return np.sum(np.square(values), axis=-1)
