"""D4PG's policy: the action that the network says, and noise where it collects."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from agents.builder import Role
from agents.d4pg.config import D4PGConfig
from agents.d4pg.networks import D4PGNetworks
from agents.frame_stacking import empty_stack, push
from agents.policy import Policy
from ops import draws


class D4PGPolicy(Policy):
    """Deterministic where it is judged; the state holds the last observations, where S > 1."""

    takes_seeds = True
    meanings: Mapping[str, str] = {
        "observation": "what the environment shows",
        "state_observations": "the last observations, the newest last",
        "info_value": "the critic's mean return of the action before noise, discounted",
    }

    def __init__(
        self,
        config: D4PGConfig,
        networks: D4PGNetworks,
        observation_spec: tf.TensorSpec,
        action_spec: tf.TensorSpec,
        role: Role,
    ) -> None:
        super().__init__(name="d4pg_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._config, self._pair, self._mean = config, networks.online, networks.mean
        steps = np.array(role.rows) / max(role.total_rows - 1, 1)
        noise = 0.0 if role.evaluation else config.noise * config.noise_ladder ** steps[:, None]
        self._noise = tf.constant(noise, tf.float32)  # [rows, 1]

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """`observations` [B, S, …], with a stack; else nothing."""
        if self._config.frame_stack == 1:
            return {}
        stack = empty_stack(batch_size, self._config.frame_stack, self.observation_spec)
        return {"observations": stack}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """Acts; `info` holds `value` [B]. See `Policy.step`."""
        stack = push(state["observations"], observation) if state else observation[:, None]
        features = self._pair.features(stack)
        best = self._pair.policy(features)  # [B, A]
        noise = self._noise * draws.normal(tf.shape(best), seed)
        action = tf.clip_by_value(best + noise, -1.0, 1.0)
        value = self._mean(self._pair.critic(features, best))
        return action, {"observations": stack} if state else state, {"value": value}
