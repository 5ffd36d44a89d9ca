"""DQN's policy: the action of the greatest Q, and now and then any."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from agents.builder import Role
from agents.dqn.config import DQNConfig
from agents.dqn.networks import DQNNetworks
from agents.frame_stacking import empty_stack, push
from agents.policy import Policy
from agents.q_learning.exploration import Exploration


class DQNPolicy(Policy):
    """ε-greedy, or greedy by noisy values; the state holds the last observations, where S > 1."""

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
        self._config, self._network = config, networks.online
        self._noisy = config.noise is not None and not role.evaluation
        self.takes_seeds = not self._noisy
        self._explore = Exploration(config, role, networks.training_step)

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
        noise_seed = tf.random.experimental.stateless_fold_in(seed, 1) if self._noisy else None
        values = self._network(stack, noise_seed)  # [B, A]
        greedy = tf.argmax(values, axis=1, output_type=self.action_spec.dtype)
        action = self._explore(greedy, values.shape[1], seed)
        info = {"q_value": tf.reduce_max(values, axis=1)}
        return action, {"observations": stack} if state else state, info
