"""PPO's learner: epochs of minibatches over a batch of rollouts, near the policy that gave it."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from agents import replicas
from agents.actor_critic import losses
from agents.actor_critic.learner import ActorCriticLearner
from agents.actor_critic.losses import Rows
from agents.actor_critic.networks import ActorCriticNetworks
from agents.learner import Update
from agents.ppo.config import PPOConfig
from agents.rollouts import Rollouts

_METRICS = (
    "loss/policy",
    "loss/critic",
    "policy/entropy",
    "policy/divergence",
    "policy/clipped",
    "learner/gradient_norm",
)


class PPOLearner(ActorCriticLearner):
    """One call of `step` is one update: `epochs` · `minibatches` steps (paper, algorithm 1)."""

    def __init__(self, config: PPOConfig, networks: ActorCriticNetworks, seed: int) -> None:
        super().__init__(config, networks, seed)
        self.penalty = tf.Variable(config.penalty, trainable=False, name="penalty")

    def check_batch(self, size: int) -> None:
        """See `Learner.check_batch`: each minibatch needs a row, or two to normalise among."""
        config, rows = self._config, size * self._config.rollout
        each = 2 if config.normalise_advantages else 1
        if rows < each * config.minibatches:
            raise ValueError(
                f"{type(config).__name__}.minibatches is {config.minibatches}, of {size} rollouts "
                f"of {config.rollout} rows; expected at most {rows // each}"
            )

    def update(self, batch: Rollouts, seed: tf.Tensor) -> Update:
        """See `Learner.update`; metrics are means over the steps."""
        config, rows = self._config, self.rows(batch)
        steps = config.epochs * config.minibatches
        whole = replicas.gathered(rows)
        size = whole.weight.shape[0] or tf.shape(whole.weight)[0]
        order = self._order(size, seed)  # [steps, R / minibatches]

        def body(i: tf.Tensor, totals: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            mine = replicas.share(order[i])
            part = tf.nest.map_structure(lambda x: tf.gather(x, mine), whole)
            return i + 1, totals + tf.stack(self._descend_on(part, seed[1]))

        start = (tf.constant(0), tf.zeros([len(_METRICS)]))
        _, totals = tf.while_loop(lambda i, _: i < steps, body, start, parallel_iterations=1)
        metrics = dict(zip(_METRICS, tf.unstack(totals / steps), strict=True))
        if config.surrogate == "penalty":
            metrics["policy/penalty"] = self._adapt(rows)
        self.take_in(batch, rows)
        return Update({**metrics, **losses.data_metrics(rows)})

    def surrogate(self, log_prob: tf.Tensor, rows: Rows) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The policy's loss, its divergence from the one that acted, and the share that is clipped.

        KL(old ‖ new) = E ρ − 1 − log ρ over the old one's actions, where ρ = π(a) / π_old(a).
        """
        config, weights, advantages = self._config, rows.weight, rows.advantage
        if config.normalise_advantages:
            advantages = losses.normalised(advantages, weights)
        change = log_prob - rows.log_prob
        ratio = tf.exp(change)
        divergence = losses.weighted_mean(ratio - 1.0 - change, weights)
        near = tf.clip_by_value(ratio, 1.0 - config.clip, 1.0 + config.clip)
        share = losses.weighted_mean(tf.cast(tf.not_equal(near, ratio), tf.float32), weights)
        if config.surrogate == "penalty":
            gain = losses.weighted_mean(ratio * advantages, weights)
            return self.penalty * divergence - gain, divergence, share
        gain = tf.minimum(ratio * advantages, near * advantages)
        return -losses.weighted_mean(gain, weights), divergence, share

    def critic_loss(self, values: tf.Tensor, rows: Rows) -> tf.Tensor:
        """½ (target − V)², or the greater one of it and that of V near what it was."""
        if (most := self._config.clip_values) is None:
            return losses.value_loss(values, rows)
        near = rows.value + tf.clip_by_value(values - rows.value, -most, most)
        errors = (tf.square(rows.target - v) for v in (values, near))
        return losses.weighted_mean(0.5 * tf.maximum(*errors), rows.weight)

    def _descend_on(self, rows: Rows, number: tf.Tensor) -> list[Any]:
        config, found = self._config, []

        def loss() -> tf.Tensor:
            policy, values = self.networks(rows.observation)
            gain, divergence, share = self.surrogate(policy.log_prob(rows.action), rows)
            critic = self.critic_loss(values, rows)
            entropy = losses.mean_entropy(policy, rows)
            found.extend([gain, critic, entropy, divergence, share])
            return gain + config.value_scale * critic - config.entropy_scale * entropy

        norm = self.descend(loss, number)
        return [*found, norm]

    def _order(self, size: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Which rows each step sees: every epoch goes through them in an order of its own."""
        config = self._config
        part = size // config.minibatches
        seeds = tf.random.experimental.stateless_split(seed, config.epochs)
        # XLA has no op that shuffles.
        shuffled = [
            tf.argsort(tf.random.stateless_uniform([size], seeds[i]), stable=True)
            for i in range(config.epochs)
        ]
        used = tf.stack(shuffled)[:, : part * config.minibatches]
        return tf.reshape(used, [config.epochs * config.minibatches, part])

    def _adapt(self, rows: Rows) -> tf.Tensor:
        """Doubles or halves β by the divergence that the update led to; returns what it was."""
        before, aim = tf.identity(self.penalty), self._config.target_divergence
        change = self.networks.acting(rows.observation).log_prob(rows.action) - rows.log_prob
        divergence = losses.weighted_mean(tf.exp(change) - 1.0 - change, rows.weight)
        divergence = replicas.mean(divergence)
        factor = tf.where(divergence > 1.5 * aim, 2.0, tf.where(divergence < aim / 1.5, 0.5, 1.0))
        self.penalty.assign(before * factor)
        return before
