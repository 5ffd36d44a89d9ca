"""DQN's policy: the action of the greatest Q, and now and then any."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from agents.builder import Role
from agents.dqn.config import DQNConfig
from agents.dqn.networks import DQNNetworks
from agents.frame_stacking import empty_stack, push
from agents.policy import Policy
from ops import draws


class DQNPolicy(Policy):
    """ε-greedy; the state holds the last S − 1 observations, where Q sees more than one."""

    takes_seeds = True
    meanings: Mapping[str, str] = {
        "observation": "what the environment shows",
        "state_observations": "the last observations, the newest last",
        "info_q_value": "Q of the greedy action: the return to come, discounted",
    }

    def __init__(
        self,
        config: DQNConfig,
        networks: DQNNetworks,
        observation_spec: tf.TensorSpec,
        action_spec: tf.TensorSpec,
        role: Role,
    ) -> None:
        super().__init__(name="dqn_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._config, self._evaluation = config, role.evaluation
        self._network, self._training_step = networks.online, networks.training_step
        steps = max(role.total_rows - 1, 1)
        self._exponents = tf.constant(1 + config.ladder * np.array(role.rows) / steps, tf.float32)

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """`observations` [B, S, …], with a stack; else nothing."""
        if self._config.frame_stack == 1:
            return {}
        return {
            "observations": empty_stack(batch_size, self._config.frame_stack, self.observation_spec)
        }

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """Acts; `info` holds `q_value` [B], of the greedy action. See `Policy.step`."""
        stack = push(state["observations"], observation) if state else observation[:, None]
        values = self._network(stack)  # [B, A]
        greedy = tf.argmax(values, axis=1, output_type=self.action_spec.dtype)
        action = self._explore(greedy, values.shape[1], seed)
        info = {"q_value": tf.reduce_max(values, axis=1)}
        return action, {"observations": stack} if state else state, info

    def _explore(self, greedy: tf.Tensor, num_actions: int, seed: tf.Tensor) -> tf.Tensor:
        seeds = draws.split(seed, 2)
        shape, dtype = tf.shape(greedy), greedy.dtype
        random = draws.uniform(shape, seeds[0], 0, num_actions, dtype)
        explores = draws.uniform(shape, seeds[1]) < self._exploration()
        return tf.where(explores, random, greedy)

    def _exploration(self) -> tf.Tensor:
        """ε of each row [B], or of all of them."""
        if self._evaluation:
            return tf.constant(self._config.evaluation_exploration)
        return exploration(self._config, self._training_step) ** self._exponents


def exploration(config: DQNConfig, updates: tf.Tensor) -> tf.Tensor:
    """ε after so many updates."""
    first, last = config.exploration
    share = tf.minimum(tf.cast(updates, tf.float32) / config.exploration_updates, 1.0)
    return first + (last - first) * share
