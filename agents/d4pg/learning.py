"""D4PG's learner: the critic towards its distributional target, the policy up the critic."""

from __future__ import annotations

import tensorflow as tf
import trfl

from agents.d4pg.config import D4PGConfig
from agents.d4pg.networks import D4PGNetworks
from agents.learner import Learner, Update
from agents.off_policy import importance_weights
from agents.optimizers import Adam, clipped, gradient
from agents.transitions import Transitions, n_step_transition
from agents.types import Sample


class D4PGLearner(Learner):
    """One call of `step` is one update, on a batch of transitions (paper, algorithm 1)."""

    indivisible = None

    def __init__(self, config: D4PGConfig, networks: D4PGNetworks, seed: int) -> None:
        super().__init__(networks, seed)
        self._config, online = config, networks.online
        self._critic, self._policy = online.critic_variables, online.policy_variables
        self._critic_optimizer = Adam(self._critic, config.critic_learning_rate)
        self._policy_optimizer = Adam(self._policy, config.policy_learning_rate)

    def update(self, batch: Transitions | Sample, seed: tf.Tensor) -> Update:
        """See `Learner.update`; the target networks are renewed behind it."""
        config, data, weights = self._config, batch, tf.constant(1.0)
        if isinstance(batch, Sample):
            data, weights = batch.trajectory, importance_weights(batch, config.importance_exponent)
        with tf.GradientTape() as tape:
            losses, value = self.critic_losses(data)  # [B]
            critic_loss = tf.reduce_mean(weights * losses)
        critic_gradients = gradient(tape, critic_loss, self._critic)
        with tf.GradientTape() as tape:
            losses_of_policy, action = self.policy_losses(data)
            policy_loss = tf.reduce_mean(losses_of_policy)
        policy_gradients = gradient(tape, policy_loss, self._policy)

        critic_gradients, critic_norm = clipped(critic_gradients, config.gradient_clip)
        policy_gradients, policy_norm = clipped(policy_gradients, config.gradient_clip)
        self._critic_optimizer.apply(critic_gradients)
        self._policy_optimizer.apply(policy_gradients)
        self.networks.renew_target((seed[1] + 1) % config.target_period == 0)
        metrics = {
            "loss/critic": critic_loss,
            "critic/value": tf.reduce_mean(value),
            "critic/gradient_norm": critic_norm,
            "policy/gradient_norm": policy_norm,
            "policy/action_size": tf.reduce_mean(tf.abs(action)),
        }
        priorities = losses + config.min_priority if isinstance(batch, Sample) else None
        return Update(metrics, priorities)

    def critic_losses(self, batch: Transitions) -> tuple[tf.Tensor, tf.Tensor]:
        """Cross-entropy to the projected target, and the mean return, both [B]."""
        size, networks = self._config.frame_stack, self.networks
        online, target = networks.online, networks.target
        rewards, discounts = n_step_transition(batch, self._config.discount)
        behind = target.features(batch.observations[:, -size:])
        target_logits = target.critic(behind, target.policy(behind))
        features = online.features(batch.observations[:, :size])
        logits = online.critic(features, batch.action)
        said = trfl.categorical_dist_td_learning(
            networks.atoms, logits, rewards, discounts, networks.atoms, target_logits
        )
        return said.loss, networks.mean(logits)

    def policy_losses(self, batch: Transitions) -> tuple[tf.Tensor, tf.Tensor]:
        """Whose gradient is −∇_a Q(s, a) at a = μ(s), [B]; and μ(s) [B, A]."""
        online = self.networks.online
        features = online.features(batch.observations[:, : self._config.frame_stack])
        features = tf.stop_gradient(features)
        action = online.policy(features)
        value = self.networks.mean(online.critic(features, action))
        return trfl.dpg(value, action, self._config.dqda_clip, clip_norm=True).loss, action
