"""MuZero's learner: unrolls the model along what was done and fits its predictions (equation 1)."""

from __future__ import annotations

import sonnet as snt
import tensorflow as tf

from agents import replicas, unrolling
from agents.averaging import OnlineAndActing
from agents.learner import Update
from agents.muzero import losses
from agents.muzero.config import MuZeroConfig
from agents.muzero.networks import Prediction
from agents.muzero.trajectories import Positions, positions
from agents.searching.learner import SearchingLearner
from agents.searching.losses import cross_entropy
from agents.types import Sample, Trajectory
from ops import loader


class MuZeroLearner(SearchingLearner):
    """See `SearchingLearner`.

    Attributes:
      acting_network: follows the one that learns, as its average; the same one without
        `average_decay`.
    """

    def __init__(self, config: MuZeroConfig, networks: OnlineAndActing, seed: int) -> None:
        super().__init__(config, networks, seed)
        self.acting_network = networks.acting
        # Traced once, with its gradient, not K times: there may be dozens of blocks in it.
        self._follow = tf.function(self._inference_behind, autograph=False)

    def update(self, batch: Sample | Trajectory, seed: tf.Tensor) -> Update:
        """See `Learner.update`; priorities are |predicted − target value|."""
        trajectory, weights = batch, None
        if isinstance(batch, Sample):
            trajectory = batch.trajectory
            weights = losses.importance_weights(
                batch.probability, batch.table_size, self._config.importance_exponent
            )
        data = positions(trajectory, self._config, self.network.num_actions, seed)
        if weights is None:
            weights = tf.ones([tf.shape(data.rewards)[0]])
        gradients, metrics = self._gradients(data, weights)
        gradients = replicas.mean(gradients)
        metrics["learner/gradient_norm"] = tf.linalg.global_norm(gradients)
        self._descent.step(gradients, seed[1])
        age = tf.reduce_mean(tf.cast(seed[1] + 1 - data.searched_at, tf.float32))
        errors = metrics.pop("errors")
        if not (isinstance(batch, Sample) and self._config.update_priorities):
            return Update({**metrics, "replay/target_age": age})
        priorities = errors + self._config.min_priority
        return Update({**metrics, "replay/target_age": age}, priorities)

    def loss(self, data: Positions, weights: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss of a batch, weighted by `weights` [B], and its parts.

        `errors` [B] among them are |v⁰ − z| of the positions themselves, for the priorities.
        """
        config = self._config
        predictions = self.unroll(data)
        scales = losses.step_weights(config.unroll_steps, config.loss_weights)
        policy = value = reward = tf.zeros_like(weights)
        for k, (prediction, scale) in enumerate(zip(predictions, scales, strict=True)):
            policy_loss = cross_entropy(data.policy_targets[:, k], prediction.prior_logits)
            policy += scale * data.policy_weights[:, k] * policy_loss
            target = self.network.to_raw(data.value_targets[:, k])
            known = scale * data.value_weights[:, k]
            value += known * losses.number_loss(target, prediction.value)
            if k > 0:
                target = self.network.to_raw(data.rewards[:, k - 1])
                known = scale * data.value_weights[:, k - 1]
                reward += known * losses.number_loss(target, prediction.reward)
        total = config.policy_scale * policy
        total += config.value_scale * value + config.reward_scale * reward
        parts = {}
        if data.later is not None:
            consistency = self.consistency(data, predictions)
            total += config.consistency_scale * consistency
            parts["loss/consistency"] = tf.reduce_mean(weights * consistency)
        loss = tf.reduce_mean(weights * total)
        errors = tf.abs(self.network.to_number(predictions[0].value) - data.value_targets[:, 0])
        return loss, {
            **parts,
            "loss/total": loss,
            "loss/policy": tf.reduce_mean(weights * policy),
            "loss/value": tf.reduce_mean(weights * value),
            "loss/reward": tf.reduce_mean(weights * reward),
            "model/value_error": tf.reduce_mean(errors),
            "errors": errors,
        }

    def consistency(self, data: Positions, predictions: list[Prediction]) -> tf.Tensor:
        """[B]: 1 − cosine of the K latent states with those that their observations give.

        EfficientZero's similarity loss, moved to be 0 where they agree; only where the position
        was reached. Ye et al. 2021, equation 3.
        """
        steps = self._config.unroll_steps
        arrived = tf.stack([prediction.latent for prediction in predictions[1:]], axis=1)
        seen = self.network.represent(*data.later)  # [B · K, …]
        cosine = self.network.agreement(snt.merge_leading_dims(arrived, 2), seen)
        reached = tf.cast(data.policy_weights[:, :-1] > 0, tf.float32)  # [B, K]
        scales = losses.step_weights(steps, self._config.loss_weights)[1:]
        return tf.reduce_sum(scales * reached * (1.0 - tf.reshape(cosine, [-1, steps])), axis=1)

    def unroll(self, data: Positions) -> list[Prediction]:
        """K + 1 predictions: at the position, and after each action done there."""
        first = self.network.initial_inference(
            data.observations, data.past_actions, is_training=True
        )
        if loader.compiling():
            step = lambda latent, action: _with_latent(self._inference_behind(latent, action))  # noqa: E731
            _, behind = unrolling.loop(step, first.latent, data.actions, like=first)
            rows = zip(*(tf.unstack(values, axis=1) for values in behind), strict=True)
            return [first, *(Prediction(*row) for row in rows)]
        predictions = [first]
        for k in range(self._config.unroll_steps):
            predictions.append(self._follow(predictions[-1].latent, data.actions[:, k]))
        return predictions

    def _inference_behind(self, latent: tf.Tensor, action: tf.Tensor) -> Prediction:
        latent = losses.scale_gradient(latent, self._config.latent_gradient)
        return self.network.recurrent_inference(latent, action, is_training=True)


def _with_latent(prediction: Prediction) -> tuple[tf.Tensor, Prediction]:
    return prediction.latent, prediction
