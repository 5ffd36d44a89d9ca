"""IMPALA's policy: draws from π while it collects, and remembers what its torso does."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from agents.impala.networks import ImpalaNetworks
from agents.policy import Policy
from agents.recurrent.torso import MEANINGS
from agents.rollouts import STATE


class ImpalaPolicy(Policy):
    """Takes the likeliest action where it is judged; the state is the torso's memory."""

    meanings: Mapping[str, str] = {
        **MEANINGS,
        "observation": "what the environment shows",
        "info_log_prob": "log-probability of the action",
    }

    def __init__(
        self,
        networks: ImpalaNetworks,
        observation_spec: tf.TensorSpec,
        action_spec: tf.TensorSpec,
        evaluation: bool,
    ) -> None:
        super().__init__(name="impala_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._networks, self._evaluation = networks, evaluation
        self.takes_seeds = evaluation

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """The torso's memory before an episode."""
        return self._networks.torso.initial_state(batch_size)

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """Acts; `info` holds `log_prob` [B], and while it collects the `state` before the step."""
        distribution, following = self._networks.act(observation, state)
        seed = tf.convert_to_tensor(seed, tf.int32)
        action = distribution.mode() if self._evaluation else distribution.sample(seed=seed)
        info = {"log_prob": distribution.log_prob(action)}
        if state and not self._evaluation:
            info[STATE] = state
        return action, self._networks.torso.remember(following, action), info
