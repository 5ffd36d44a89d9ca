"""R2D2's policy: ε-greedy with a memory."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from agents.builder import Role
from agents.policy import Policy
from agents.q_learning.exploration import Exploration
from agents.r2d2.config import R2D2Config
from agents.r2d2.networks import R2D2Networks
from agents.recurrent.torso import MEANINGS
from agents.rollouts import STATE


class R2D2Policy(Policy):
    """The state is the torso's memory; each row explores by its own ε."""

    takes_seeds = True
    meanings: Mapping[str, str] = {
        **MEANINGS,
        "observation": "what the environment shows",
        "info_q_value": "Q of the greedy action: the return to come, by h where it is rescaled",
    }

    def __init__(
        self,
        config: R2D2Config,
        networks: R2D2Networks,
        observation_spec: tf.TensorSpec,
        action_spec: tf.TensorSpec,
        role: Role,
    ) -> None:
        super().__init__(name="r2d2_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._network, self._records = networks.online, not role.evaluation
        self._explore = Exploration(config, role, networks.training_step)

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """The torso's memory before an episode."""
        return self._network.torso.initial_state(batch_size)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """Acts; `info` holds `q_value` [B], and while it collects the `state` before the step."""
        values, following = self._network.act(observation, state)  # [B, A]
        greedy = tf.argmax(values, axis=1, output_type=self.action_spec.dtype)
        action = self._explore(greedy, values.shape[1], seed)
        info = {"q_value": tf.reduce_max(values, axis=1)}
        if self._records:
            info[STATE] = dict(state)
        return action, self._network.torso.remember(following, action), info
