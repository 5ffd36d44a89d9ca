"""A small policy with a critic, and rollouts for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from acme import specs as acme_specs
from dm_env import specs

from agents.actor_critic.builder import ActorCriticBuilder
from agents.actor_critic.networks import ActorCriticNetworks
from agents.rollouts import Rollouts

SIZE = 3  # Of an observation.
DISCRETE = specs.DiscreteArray(4)
CONTINUOUS = specs.BoundedArray([2], np.float32, [-1, 2], [1, 3])
SMALL = {"hidden_layers": (8,), "rollout": 6, "learning_rate": 0.01}


def spec(actions: specs.BoundedArray) -> acme_specs.EnvironmentSpec:
    return acme_specs.EnvironmentSpec(
        observations=specs.Array([SIZE], np.float32, "state"),
        actions=actions,
        rewards=specs.Array([], np.float32),
        discounts=specs.BoundedArray([], np.float32, 0, 1),
    )


def networks_of(builder: ActorCriticBuilder, actions: specs.BoundedArray) -> ActorCriticNetworks:
    """With weights that nobody begins with: outputs then depend on all inputs."""
    networks = builder.make_networks(spec(actions), seed=0)
    rng = np.random.RandomState(0)
    for variable in networks.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.5))
    return networks


def rollouts(
    rng: np.random.RandomState, actions: specs.BoundedArray, batch: int = 4, length: int = 6
) -> Rollouts:
    """Episodes of one to four actions, every second one cut by a time limit."""
    starts = np.zeros([batch, length + 1], bool)
    discount = rng.uniform(0.5, 1, [batch, length])
    for b in range(batch):
        t = rng.randint(1, 4)
        while t <= length:
            starts[b, t] = True  # Row t − 1 holds a final observation.
            if t >= 2:
                discount[b, t - 2] = rng.randint(2)
            t += rng.randint(2, 5)
    final = starts[:, 1:]
    shape = [batch, length, *actions.shape]
    action: Any = rng.uniform(actions.minimum, actions.maximum, shape)
    if isinstance(actions, specs.DiscreteArray):
        action = rng.randint(0, actions.num_values, shape)
    cleared = lambda x: np.where(final.reshape([*final.shape] + [1] * (x.ndim - 2)), 0, x)  # noqa: E731
    return Rollouts(
        tf.constant(rng.normal(size=[batch, length + 1, SIZE]), tf.float32),
        tf.constant(cleared(action), actions.dtype),
        tf.constant(cleared(rng.normal(size=[batch, length])), tf.float32),
        tf.constant(cleared(discount), tf.float32),
        tf.constant(starts),
        {"log_prob": tf.constant(cleared(-rng.uniform(0.5, 2, [batch, length])), tf.float32)},
    )


def v_trace(
    data: Rollouts, values: np.ndarray, ratios: np.ndarray, discount: float
) -> tuple[np.ndarray, np.ndarray]:
    """Espeholt et al. 2018, equation 1, summed up as it is written."""
    batch, length = data.reward.shape
    final = data.start_of_episode.numpy()[:, 1:]
    targets, advantages = np.zeros([batch, length + 1]), np.zeros([batch, length])
    for b in range(batch):
        targets[b, -1] = values[b, -1]
        for t in reversed(range(length)):
            rho = 0.0 if final[b, t] else min(1.0, ratios[b, t])
            gamma = discount * float(data.discount[b, t])
            reward = float(data.reward[b, t])
            error = rho * (reward + gamma * values[b, t + 1] - values[b, t])
            following = gamma * rho * (targets[b, t + 1] - values[b, t + 1])
            targets[b, t] = values[b, t] + error + following
            advantages[b, t] = rho * (reward + gamma * targets[b, t + 1] - values[b, t])
    return targets[:, :-1], advantages
