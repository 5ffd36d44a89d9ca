"""REINFORCE's learner: a step along the gradient of the episodes since the last one."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
import trfl

from agents import replicas
from agents.learner import Learner, Update
from agents.moments import weighted_moments
from agents.optimizers import Adam, gradient
from agents.reinforce.config import ReinforceConfig
from agents.reinforce.networks import ReinforceNetworks
from agents.returns import episode_returns, last_rows
from agents.types import Trajectory


class ReinforceLearner(Learner):
    """One call of `step` is one update, on rows [R, …] of whole episodes, one behind the other."""

    indivisible = None
    varying = True

    def __init__(self, config: ReinforceConfig, networks: ReinforceNetworks, seed: int) -> None:
        super().__init__(networks, seed)
        self._config = config
        self._policy, self._baseline = networks.policy.trainable_variables, ()
        self._optimizer = Adam(self._policy, config.learning_rate)
        if networks.baseline is not None:
            self._baseline = networks.baseline.trainable_variables
            self._baseline_optimizer = Adam(self._baseline, config.baseline_learning_rate)

    def divide(self, batch: Trajectory, parts: int) -> list[Trajectory]:
        """Whole episodes, as many for each replica as for the others or one more."""
        starts = np.flatnonzero(batch.start_of_episode)
        if len(starts) < parts:
            raise replicas.Misfit(
                f"{len(starts)} episodes for {parts} replicas; expected at least one for each"
            )
        firsts = [episodes[0] for episodes in np.array_split(starts, parts)]
        ends = [*firsts[1:], len(batch.start_of_episode)]
        return [
            tf.nest.map_structure(lambda rows, a=a, b=b: rows[a:b], batch)
            for a, b in zip(firsts, ends, strict=True)
        ]

    def update(self, batch: Trajectory, seed: tf.Tensor) -> Update:
        """See `Learner.update`: the policy by the baseline as it was, then the baseline."""
        returns = self.returns(batch)
        with tf.GradientTape() as tape:
            loss, metrics = self.policy_loss(batch, returns)
        gradients = gradient(tape, loss, self._policy)
        self._optimizer.apply(gradients)
        if self._baseline:
            steps = self._config.baseline_steps
            fit = lambda i: self._fit_baseline(batch, returns, i)  # noqa: E731
            tf.while_loop(lambda i: i < steps, fit, [tf.constant(0)], parallel_iterations=1)
        return Update({**metrics, "learner/gradient_norm": tf.linalg.global_norm(gradients)})

    def returns(self, rows: Trajectory) -> tf.Tensor:
        """R_t [R]; of an episode's last row what stands for the rest, where a time limit cut it."""
        values = self.networks.value(rows.observation)
        rest = values if self._config.bootstrap else tf.zeros_like(values)
        discounts = self._config.discount * rows.discount
        return episode_returns(rows.reward, discounts, rows.start_of_episode, rest)

    def policy_loss(self, rows: Trajectory, returns: tf.Tensor) -> tuple[tf.Tensor, dict[str, Any]]:
        """−Σ log π(a_t | s_t) (R_t − V(s_t)) − c Σ H(s_t), an episode's mean, and metrics."""
        acted = tf.cast(tf.logical_not(last_rows(rows.start_of_episode)), tf.float32)
        policy = self.networks.policy(rows.observation)
        advantages = returns - self.networks.value(rows.observation)
        mean, variance = weighted_moments(advantages, acted)
        if self._config.normalise_advantages:
            advantages = (advantages - mean) / tf.sqrt(variance + 1e-8)
        loss = _an_episodes(trfl.policy_gradient(policy, rows.action, advantages), rows)
        entropy = trfl.policy_entropy_loss(policy)
        metrics = {
            "loss/policy": loss,
            "policy/entropy": weighted_moments(entropy.extra.entropy, acted)[0],
            "learner/steps": replicas.total(tf.reduce_sum(acted)),
        }
        if self._baseline:
            metrics["loss/baseline"] = self.baseline_loss(rows, returns)
            _, of_returns = weighted_moments(returns, acted)
            metrics["baseline/unexplained"] = tf.math.divide_no_nan(variance, of_returns)
        return loss + self._config.entropy_scale * _an_episodes(entropy.loss, rows), metrics

    def baseline_loss(self, rows: Trajectory, returns: tf.Tensor) -> tf.Tensor:
        """½ Σ (R_t − V(s_t))², an episode's mean."""
        values = self.networks.value(rows.observation)
        return _an_episodes(0.5 * tf.square(returns - values), rows)

    def _fit_baseline(self, rows: Trajectory, returns: tf.Tensor, i: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = self.baseline_loss(rows, returns)
        self._baseline_optimizer.apply(gradient(tape, loss, self._baseline))
        return i + 1


def _an_episodes(values: tf.Tensor, rows: Trajectory) -> tf.Tensor:
    """Sum over the rows [R] that have an action, by the number of episodes, a replica's mean."""
    last = last_rows(rows.start_of_episode)
    total = tf.reduce_sum(tf.where(last, 0.0, values))
    return total / replicas.mean(tf.math.count_nonzero(last, dtype=tf.float32))
