"""SimPLe's policy in the real game: it sees what it saw in the imagined one."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from agents.actor_critic.networks import ImageActorCritic
from agents.frame_stacking import empty_stack, into_channels, push
from agents.policy import Policy
from agents.simple.config import SimPLeConfig


class SimPLePolicy(Policy):
    """Draws from π while it collects, and takes the likeliest action where it is judged."""

    meanings: Mapping[str, str] = {
        "observation": "a frame as the environment draws it",
        "state_observations": "the last frames, the newest last",
        "info_log_prob": "log-probability of the action",
    }

    def __init__(
        self,
        config: SimPLeConfig,
        networks: ImageActorCritic,
        observation_spec: tf.TensorSpec,
        action_spec: tf.TensorSpec,
        num_actions: int,
        evaluation: bool,
    ) -> None:
        super().__init__(name="simple_policy")
        self.observation_spec, self.action_spec = observation_spec, action_spec
        self._config, self._acting = config, networks.acting
        self._num_actions, self._evaluation = num_actions, evaluation
        self.takes_seeds = evaluation

    def initial_state(self, batch_size: int | tf.Tensor) -> dict[str, tf.Tensor]:
        """`observations` [B, S, …]: before an episode nothing was seen."""
        stack = empty_stack(batch_size, self._config.frame_stack, self.observation_spec)
        return {"observations": stack}

    @tf.function(autograph=False, reduce_retracing=True)
    def step(self, observation, state, seed):
        """Acts; `info` holds `log_prob` [B], of the action. See `Policy.step`."""
        stack = push(state["observations"], observation)
        policy = self._acting(into_channels(stack))
        if self._evaluation:
            action = policy.mode()
        else:
            action = self._drawn(policy, tf.convert_to_tensor(seed, tf.int32))
        return action, {"observations": stack}, {"log_prob": policy.log_prob(action)}

    def _drawn(self, policy, seed: tf.Tensor) -> tf.Tensor:
        action = policy.sample(seed=seed)
        if (share := self._config.random_share) == 0:
            return action
        seeds = tf.random.experimental.stateless_split(seed, 2)
        any_action = tf.random.stateless_uniform(
            tf.shape(action), seeds[0], maxval=self._num_actions, dtype=tf.int32
        )
        chance = tf.random.stateless_uniform(tf.shape(action), seeds[1])
        return tf.where(chance < share, tf.cast(any_action, action.dtype), action)
