"""PlaNet's learner: fits the world model to sequences (paper, Algorithm 1, lines 5 to 8)."""

from __future__ import annotations

from typing import NamedTuple

import sonnet as snt
import tensorflow as tf
from acme.adders.reverb import base as adders

from agents import replicas
from agents.averaging import OnlineAndActing
from agents.learner import Learner, Update
from agents.optimizers import Adam, gradient
from agents.planet import losses
from agents.planet.config import PlaNetConfig
from agents.planet.networks import LatentState, preprocess


class Sequences(NamedTuple):
    """A batch in the model's alignment: index t holds what led to o_t and o_t itself.

    Attributes:
      pixels: uint8 [B, T, H, W, C].
      previous_action: [B, T, A]; zeros at t = 0.
      reward: [B, T] that came with o_t.
      reward_known: bool [B, T]; false at t = 0, whose reward lies before the chunk.
      known: bool [B, T]; false in the padding behind the end of an episode shorter than T.
    """

    pixels: tf.Tensor
    previous_action: tf.Tensor
    reward: tf.Tensor
    reward_known: tf.Tensor
    known: tf.Tensor


def align(batch: adders.Trajectory) -> Sequences:
    """Shifts actions and rewards of a replayed batch [B, T] to the observations they led to."""
    steps = tf.range(batch.reward.shape[1])
    shift = lambda values: tf.concat([tf.zeros_like(values[:, :1]), values[:, :-1]], axis=1)  # noqa: E731
    # A chunk is of one episode: what starts within it is padding.
    known = tf.cumsum(tf.cast(batch.start_of_episode[:, 1:], tf.int32), axis=1) == 0
    known = tf.concat([tf.ones_like(known[:, :1]), known], axis=1)
    rewarded = known & (steps > 0)
    return Sequences(batch.observation, shift(batch.action), shift(batch.reward), rewarded, known)


class PlaNetLearner(Learner):
    """One call of `step` is one update."""

    indivisible = None

    def __init__(self, config: PlaNetConfig, networks: OnlineAndActing, seed: int) -> None:
        super().__init__(networks, seed)
        self._config = config
        self._networks, self._model = networks, networks.online
        variables = self._model.trainable_variables
        self._optimizer = Adam(variables, config.learning_rate, epsilon=config.adam_epsilon)
        sizes = self._model.dynamics.deterministic_size, config.stochastic_size
        self._last_beliefs = [
            tf.Variable(tf.zeros([config.batch_size, size]), trainable=False, name="last_belief")
            for size in sizes
        ]

    def update(self, batch: adders.Trajectory, seed: tf.Tensor) -> Update:
        """See `Learner.update`."""
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            loss, metrics, last = self.loss(align(batch), seed, self.start())
        gradients = gradient(tape, loss, variables)
        gradients, norm = tf.clip_by_global_norm(gradients, self._config.gradient_clip)
        self._optimizer.apply(gradients)
        self._networks.follow(self.updates + 1)
        last = replicas.gathered(last[:2])
        for variable, value in zip(self._last_beliefs, last, strict=True):
            variable.assign(value)
        return Update({"loss/total": loss, **metrics, "learner/gradient_norm": norm})

    def start(self) -> LatentState:
        """Beliefs [B, …] that the sequences of a batch, or of a replica's part, start from."""
        values = [variable.read_value() for variable in self._last_beliefs]
        if self._config.initial_belief == "zeros":
            values = [tf.zeros_like(value) for value in values]
        foreign = tf.range(self._config.batch_size)[:, None] % 2 == 1
        deterministic, stochastic = (
            replicas.share(tf.where(foreign, value, 0.0)) for value in values
        )
        return LatentState(deterministic, stochastic, stochastic, tf.zeros_like(stochastic))

    def loss(
        self, sequences: Sequences, seed: tf.Tensor, start: LatentState
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor], LatentState]:
        """The negative bound, a step's mean over the batch (equation 7).

        Returns:
          the loss, its parts, and the beliefs [B, …] at the sequences' ends.
        """
        config, model = self._config, self._model
        batch, length = sequences.reward.shape
        seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
        image = preprocess(
            snt.merge_leading_dims(sequences.pixels, 2),
            config.pixel_bits,
            seeds[0] if config.dequantisation_noise else None,
        )
        embedding = snt.split_leading_dim(model.encoder(image), sequences.reward, 2)
        noise = replicas.drawn(
            lambda shape: tf.random.stateless_normal(shape, seeds[1]),
            [batch, length, config.stochastic_size],
        )
        posterior, prior = model.dynamics.observe(
            embedding, sequences.previous_action, noise, start
        )
        features = snt.merge_leading_dims(posterior.features, 2)  # [B·T, D + S]

        weights = losses.weights_of(sequences.known)  # [B, T]
        image_terms = losses.image_log_likelihood(image, model.decoder(features))
        image_term = tf.reduce_mean(tf.reshape(weights, [-1]) * image_terms)
        reward = tf.reshape(model.reward(features), [batch, length])
        reward_terms = losses.reward_log_likelihood(
            sequences.reward, reward, sequences.reward_known
        )
        reward_term = tf.reduce_mean(weights * reward_terms)
        divergences = [losses.divergence(posterior, prior, config.free_nats)]
        divergences += self._overshooting(posterior, sequences.previous_action, seeds[2])
        divergences = [weights[:, -d.shape[1] :] * d for d in divergences]  # By where they end.
        scales = [config.kl_scale] + [config.overshooting_scale] * (len(divergences) - 1)
        divergence_term = tf.reduce_mean(losses.overshooting_mean(divergences, scales))

        loss = divergence_term
        loss -= config.image_scale * image_term + config.reward_scale * reward_term
        error = tf.where(sequences.reward_known, reward - sequences.reward, 0.0)
        last = tf.reduce_sum(tf.cast(sequences.known, tf.int32), axis=1) - 1  # [B]
        return (
            loss,
            {
                "loss/image": -image_term,
                "loss/reward": -reward_term,
                "loss/divergence": tf.reduce_mean(divergences[0]),
                "loss/overshooting": tf.reduce_mean(divergences[-1]),
                "model/reward_error": tf.sqrt(
                    replicas.mean(tf.reduce_mean(weights * tf.square(error)))
                ),
                "model/prior_stddev": tf.reduce_mean(weights[..., None] * prior.stddev),
                "model/posterior_stddev": tf.reduce_mean(weights[..., None] * posterior.stddev),
            },
            LatentState(*(tf.gather(values, last, batch_dims=1) for values in posterior)),
        )

    def _overshooting(self, posterior, previous_action, seed) -> list[tf.Tensor]:
        distance = self._config.overshooting_distance
        if distance == 1:
            return []
        noise = replicas.drawn(
            lambda shape: tf.random.stateless_normal(shape, seed),
            [distance, *posterior.stochastic.shape],
            axis=1,
        )
        return losses.overshooting_divergences(
            self._model.dynamics,
            posterior,
            previous_action,
            noise,
            distance,
            self._config.free_nats,
        )
