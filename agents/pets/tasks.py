"""What PETS is told about an environment (paper, appendix A): nothing of its dynamics.

A task says in which form observations enter the model (angles as sine and cosine), what the model
predicts (differences of states), and what is paid. Actions are the environment's, in [−1, 1];
their costs are those of the actuators' own units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

# (observation [..., D], action [..., A], next observation [..., D]) → rewards [...]
RewardFunction = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]


class Task(NamedTuple):
    """Pure functions; leading dimensions are kept.

    Attributes:
      features: observation [..., D] → what enters the model [..., F].
      targets: (observation, next observation) → what it predicts [..., D].
      advance: (observation, prediction) → next observation; inverts `targets`.
      reward: what is paid; None: the model learns it as one more output.
      observation_size: D, or None: any.
    """

    features: Callable[[tf.Tensor], tf.Tensor]
    targets: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    advance: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    reward: RewardFunction | None
    observation_size: int | None


def _difference(observation: tf.Tensor, following: tf.Tensor) -> tf.Tensor:
    return following - observation


def _add(observation: tf.Tensor, prediction: tf.Tensor) -> tf.Tensor:
    return observation + prediction


def _squared(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(values), axis=-1)


_POLE = 0.6  # Metres.


def _cartpole_features(observation: tf.Tensor) -> tf.Tensor:
    """[cart, angle, velocities] → [sin, cos, cart, velocities]."""
    angle = observation[..., 1:2]
    rest = (observation[..., :1], observation[..., 2:])
    return tf.concat([tf.sin(angle), tf.cos(angle), *rest], axis=-1)


def _cartpole_reward(observation, action, following) -> tf.Tensor:
    """exp(−‖tip − (0, 0.6)‖² / 0.6²) − 0.01 ‖3 a‖²."""
    x = following[..., 0] - _POLE * tf.sin(following[..., 1])
    z = -_POLE * tf.cos(following[..., 1]) - _POLE
    near = tf.exp(-(tf.square(x) + tf.square(z)) / _POLE**2)
    return near - 0.01 * 3.0**2 * _squared(action)


_FIRST_GOAL, _AFTER_GOAL = 7, 10  # The reacher's target in its observation.


def _reacher_targets(observation, following) -> tf.Tensor:
    return (following - observation) * _without_goal()


def _reacher_advance(observation, prediction) -> tf.Tensor:
    """The target stays where it is, whatever the model says of it."""
    return observation + prediction * _without_goal()


def _without_goal() -> tf.Tensor:
    return tf.constant([1.0] * _FIRST_GOAL + [0.0] * 3 + [1.0] * 7)


def _reacher_reward(observation, action, following) -> tf.Tensor:
    """−‖end − target‖² − 0.01 ‖20 a‖²."""
    away = reacher_end(following[..., :7]) - following[..., _FIRST_GOAL:_AFTER_GOAL]
    return -_squared(away) - 0.01 * 20.0**2 * _squared(action)


def reacher_end(angles: tf.Tensor) -> tf.Tensor:
    """Place [..., 3] of the arm's end by its joint angles [..., 7], from the end to the shoulder.

    A link stretches along x; pan turns about z, the flexing joints about y, rolls about x.
    """
    _, lift, upper_roll, elbow, forearm_roll, wrist, _ = tf.unstack(angles, axis=-1)
    zero = tf.zeros_like(lift)
    x, y, z = zero + 0.16828, zero, zero
    x, z = _about_y(x, z, wrist)
    y, z = _about_x(y, z, forearm_roll)
    x, z = _about_y(x + 0.321, z, elbow)
    y, z = _about_x(y, z, upper_roll)
    x, z = _about_y(x + 0.4, z, lift)
    pan = angles[..., 0]
    x, y = _rotated(x + 0.1, y, pan)
    return tf.stack([x, y - 0.188, z], axis=-1)


def _about_y(x: tf.Tensor, z: tf.Tensor, angle: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    z, x = _rotated(z, x, angle)
    return x, z


def _about_x(y: tf.Tensor, z: tf.Tensor, angle: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    return _rotated(y, z, angle)


def _rotated(first, second, angle) -> tuple[tf.Tensor, tf.Tensor]:
    cosine, sine = tf.cos(angle), tf.sin(angle)
    return cosine * first - sine * second, sine * first + cosine * second


_PUSHER_GOAL = (0.45, -0.05, -0.323)  # Metres.


def _pusher_reward(observation, action, following) -> tf.Tensor:
    """−0.5 |cylinder − tip|₁ − 1.25 |cylinder − goal|₁ − 0.1 ‖2 a‖²."""
    tip, cylinder = following[..., 14:17], following[..., 17:20]
    near = tf.reduce_sum(tf.abs(cylinder - tip), axis=-1)
    far = tf.reduce_sum(tf.abs(cylinder - tf.constant(_PUSHER_GOAL)), axis=-1)
    return -0.5 * near - 1.25 * far - 0.1 * 2.0**2 * _squared(action)


def _cheetah_features(observation: tf.Tensor) -> tf.Tensor:
    """[velocity, height, pitch, …] → [height, sin, cos, …]: the velocity is an outcome."""
    pitch, rest = observation[..., 2:3], observation[..., 3:]
    return tf.concat([observation[..., 1:2], tf.sin(pitch), tf.cos(pitch), rest], axis=-1)


def _cheetah_targets(observation, following) -> tf.Tensor:
    return tf.concat([following[..., :1], following[..., 1:] - observation[..., 1:]], axis=-1)


def _cheetah_advance(observation, prediction) -> tf.Tensor:
    return tf.concat([prediction[..., :1], observation[..., 1:] + prediction[..., 1:]], axis=-1)


def _cheetah_reward(observation, action, following) -> tf.Tensor:
    """Forward velocity − 0.1 ‖a‖²."""
    return following[..., 0] - 0.1 * _squared(action)


TASKS = {
    "cartpole": Task(_cartpole_features, _difference, _add, _cartpole_reward, 4),
    "reacher": Task(tf.identity, _reacher_targets, _reacher_advance, _reacher_reward, 17),
    "pusher": Task(tf.identity, _difference, _add, _pusher_reward, 20),
    "half_cheetah": Task(
        _cheetah_features, _cheetah_targets, _cheetah_advance, _cheetah_reward, 18
    ),
    "differences": Task(tf.identity, _difference, _add, None, None),
}
