"""What learners of rollouts do before and behind their losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sonnet as snt
import tensorflow as tf

from agents.actor_critic.config import ActorCriticConfig, RolloutConfig
from agents.actor_critic.losses import Rows, rows_of
from agents.actor_critic.networks import ActorCriticNetworks
from agents.learner import Learner
from agents.optimizers import Adam, Optimizer, clipped, decayed, gradient
from agents.rollouts import Rollouts, final_rows


class RolloutLearner(Learner):
    """One call of `step` is one update, on a batch of rollouts [B, T] that is seen once."""

    indivisible = None

    def __init__(self, config: RolloutConfig, networks: snt.Module, seed: int) -> None:
        super().__init__(networks, seed)
        self._config = config
        self._variables = networks.trainable_variables
        self._optimizer = self.make_optimizer(self._variables)

    def make_optimizer(self, variables: Sequence[tf.Variable]) -> Optimizer:
        """Adam."""
        return Adam(variables, self._config.learning_rate, epsilon=self._config.epsilon)

    def descend(self, loss: Callable[[], tf.Tensor], number: tf.Tensor) -> tf.Tensor:
        """A step down the loss; returns the gradient's norm before it is clipped."""
        with tf.GradientTape() as tape:
            total = loss()
        config = self._config
        gradients = gradient(tape, total, self._variables)
        gradients, norm = clipped(gradients, config.gradient_clip)
        rate = decayed(config.learning_rate, config.decay_updates, number)
        self._optimizer.apply(gradients, rate)
        return norm


class ActorCriticLearner(RolloutLearner):
    """Of A2C and PPO.

    Observations of a batch are normalised as those were that the policy drew its actions by;
    what the batch says of the moments counts from the next one on.
    """

    _config: ActorCriticConfig
    networks: ActorCriticNetworks

    def rows(self, batch: Rollouts) -> Rows:
        """The batch's rows with their advantages."""
        values = self.networks.value(batch.observation)  # [B, T + 1]
        return rows_of(batch, values, self._rewards(batch), self._config)

    def take_in(self, batch: Rollouts, rows: Rows) -> None:
        """What the batch says of the moments."""
        config, networks = self._config, self.networks
        if config.normalise_observations:
            acted = tf.logical_not(final_rows(batch))
            seen = batch.observation[:, :-1]
            seen = tf.reshape(seen, [-1, seen.shape[-1]])
            networks.observation_moments.add(seen, tf.reshape(acted, [-1]))
        if config.normalise_rewards:
            moments = networks.return_moments
            moments.add(rows.target * moments.stddev, rows.weight)

    def _rewards(self, batch: Rollouts) -> tf.Tensor:
        if not self._config.normalise_rewards:
            return batch.reward
        return batch.reward / self.networks.return_moments.stddev
