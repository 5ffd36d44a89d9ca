"""SimPLe's learners: of the model by what happened, and of the policy by what is imagined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import sonnet as snt
import tensorflow as tf

from agents import replicas
from agents.actor_critic.losses import weighted_mean
from agents.actor_critic.networks import ImageActorCritic
from agents.frame_stacking import into_channels
from agents.learner import Learner, Update
from agents.optimizers import Adam, clipped, gradient
from agents.ppo.learning import PPOLearner
from agents.rollouts import Rollouts, final_rows
from agents.simple import losses
from agents.simple.config import SimPLeConfig, SimPLePolicyConfig
from agents.simple.imagination import imagine
from agents.simple.networks import Prediction, WorldModel
from agents.unrolling import unroll
from agents.world import World


class SimPLeNetworks(snt.Module):
    """Everything SimPLe learns.

    Attributes:
      model: of the game.
      policy: π and V, of stacks of frames as images.
    """

    def __init__(self, model: WorldModel, policy: ImageActorCritic) -> None:
        super().__init__(name="simple_networks")
        self.model, self.policy = model, policy


class Truth(NamedTuple):
    """What came of one step.

    Attributes:
      frame: uint8 [B, H, W, C].
      reward, discount: [B].
    """

    frame: tf.Tensor
    reward: tf.Tensor
    discount: tf.Tensor


class ModelLearner(Learner):
    """One call of `step` is one update on sequences of K predictions (TRAIN_SUPERVISED)."""

    networks: SimPLeNetworks
    indivisible = None

    def __init__(self, config: SimPLeConfig, networks: SimPLeNetworks, seed: int) -> None:
        super().__init__(networks, seed)
        self._config, self._model = config, networks.model
        self._variables = self._model.trainable_variables
        self._optimizer = Adam(self._variables, config.learning_rate)

    def update(self, batch: Rollouts, seed: tf.Tensor) -> Update:
        """See `Learner.update`; of rows that take no action nothing is learned."""
        with tf.GradientTape() as tape:
            total, metrics = self.loss(batch, seed)
        gradients = gradient(tape, total, self._variables)
        gradients, norm = clipped(gradients, self._config.gradient_clip)
        self._optimizer.apply(gradients)
        return Update({"loss/total": total, "learner/gradient_norm": norm, **metrics})

    def loss(self, batch: Rollouts, seed: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The weighted sum of all losses, means over the rows that count; and its parts.

        The model sees S real frames. Then, more and more often, it sees in the place of what came
        what it has predicted itself (scheduled sampling; Bengio et al. 2015).
        """
        config, first = self._config, self._config.frame_stack - 1
        own = losses.ramp(seed[1], config.sampled_frames_warmup, config.sampled_frames)

        def predict(stack: tf.Tensor, given: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            action, truth, k = given
            step_seed = tf.random.experimental.stateless_fold_in(seed, k[0])
            prediction, latent = self._predict(stack, action, truth, step_seed)
            own_frame = self._model.frame(prediction)
            imagined = _uniform(stack.shape[:1], step_seed) < own
            frame = tf.where(imagined[:, None, None, None], own_frame, truth.frame)
            stack = tf.concat([stack[:, 1:], frame[:, None]], axis=1)
            return stack, {**self._failures(prediction, truth), "loss/latent": latent}

        frames, steps = batch.observation, tf.range(config.unroll_steps)[None]
        came = (frames[:, first + 1 :], batch.reward[:, first:], batch.discount[:, first:])
        given = (batch.action[:, first:], Truth(*came), steps)  # [B, K, …], but [1, K] of steps.
        like = dict.fromkeys(self._kept(), tf.TensorSpec(batch.reward.shape[:1]))
        _, parts = unroll(predict, frames[:, : first + 1], given, like)  # [B, K] each.
        weights = tf.cast(tf.logical_not(final_rows(batch)[:, first:]), tf.float32)  # [B, K]
        means = {name: weighted_mean(values, weights) for name, values in parts.items()}
        return self._total(means), self._metrics(means)

    def _predict(
        self, stack: tf.Tensor, action: tf.Tensor, truth: Truth, seed: tf.Tensor
    ) -> tuple[Prediction, tf.Tensor]:
        """What the model predicts, bits of the truth in hand; and −log p(bits) [B]."""
        model, images = self._model, into_channels(stack)
        seeds = tf.random.experimental.stateless_split(seed, 4)
        seen = model.see(images, action, seeds[0])
        if model.latents is None:
            return model.predict(seen, action, None, seed=seeds[1]), tf.zeros([stack.shape[0]])
        evidence = model.evidence(images, seen, action, truth.frame)
        numbers = model.latents.infer(evidence, action, seeds[2])
        clean = tf.stop_gradient(losses.signs(numbers))
        latent = -model.latents.log_likelihood(seen.map, clean)
        bits, used = self._noisy(numbers, seen.map, seeds[3])
        return model.predict(seen, action, bits, used, seeds[1]), latent

    def _noisy(
        self, numbers: tf.Tensor, seen: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """The bits that the decoder is shown [B, bits], and which rows are [B]."""
        config, shape = self._config, numbers.shape
        seeds = tf.random.experimental.stateless_split(seed, 5)
        updates = self.updates.read_value()
        normal = lambda shape: tf.random.stateless_truncated_normal(shape, seeds[0])  # noqa: E731
        noise = config.bits_stddev * replicas.drawn(normal, shape)
        flips = _uniform(shape, seeds[1]) < config.bit_flips
        bits = losses.discretised(numbers, noise, flips)
        if config.bits_predicted > 0:
            drawn = tf.stop_gradient(self._model.latents.draw(seen, seeds[2]))
            share = losses.ramp(updates, config.bits_warmup, config.bits_predicted)
            bits = tf.where(_uniform(shape, seeds[3]) < share, drawn, bits)
        used = losses.ramp(updates, config.bits_warmup, config.bits_used)
        return bits, _uniform(shape[:1], seeds[4]) < used

    def _failures(self, prediction: Prediction, truth: Truth) -> dict[str, tf.Tensor]:
        """Losses and errors of one step, [B] each."""
        config, model = self._config, self._model
        classes = losses.reward_classes(truth.reward, config.reward_values)
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits
        wrong = tf.not_equal(model.frame(prediction), truth.frame)
        guessed = tf.argmax(prediction.reward, axis=-1, output_type=tf.int32)
        failures = {
            "loss/image": self._image_loss(prediction.pixels, truth.frame),
            "loss/reward": cross_entropy(classes, prediction.reward),
            "model/wrong_pixels": tf.reduce_mean(tf.cast(wrong, tf.float32), axis=[1, 2, 3]),
            "model/wrong_rewards": tf.cast(tf.not_equal(guessed, classes), tf.float32),
        }
        if config.predict_ends:
            ended = tf.cast(truth.discount == 0, tf.float32)
            failures["loss/end"] = tf.nn.sigmoid_cross_entropy_with_logits(ended, prediction.end)
        return failures

    def _kept(self) -> list[str]:
        """The names of what is kept of a step."""
        names = ["loss/image", "loss/reward", "model/wrong_pixels", "model/wrong_rewards"]
        return names + ["loss/end"] * self._config.predict_ends + ["loss/latent"]

    def _image_loss(self, pixels: tf.Tensor, frame: tf.Tensor) -> tf.Tensor:
        config = self._config
        if config.pixels == "regression":
            return losses.clipped_squared_error(pixels, frame, config.cutoff)
        classes = losses.pixel_classes(frame, config.levels)
        return losses.clipped_cross_entropy(pixels, classes, config.cutoff)

    def _total(self, means: dict[str, tf.Tensor]) -> tf.Tensor:
        config = self._config
        total = config.image_scale * means["loss/image"]
        total += config.reward_scale * means["loss/reward"]
        if config.model == "stochastic":
            total += config.latent_scale * means["loss/latent"]
        if config.predict_ends:
            total += config.end_scale * means["loss/end"]
        return total

    def _metrics(self, means: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        has_latents = self._config.model == "stochastic"
        return {k: v for k, v in means.items() if has_latents or k != "loss/latent"}


class ImaginedPPOLearner(PPOLearner):
    """One call of `step` is PPO's update on rollouts imagined from real frames (TRAIN_RL)."""

    def __init__(
        self,
        config: SimPLePolicyConfig,
        frame_stack: int,
        networks: ImageActorCritic,
        world: World,
        seed: int,
    ) -> None:
        super().__init__(config, networks, seed)
        self._frame_stack, self._world = frame_stack, world

    def update(self, batch: Rollouts, seed: tf.Tensor) -> Update:
        """See `Learner.update`; of real sequences [B, T'] the first S frames are seen."""
        imagined = self.imagine(batch, tf.random.experimental.stateless_fold_in(seed, 0))
        update = super().update(imagined, seed)
        acted = tf.cast(tf.logical_not(final_rows(imagined)), tf.float32)
        metrics = {
            "imagination/reward": weighted_mean(imagined.reward, acted),
            "imagination/length": tf.reduce_mean(tf.reduce_sum(acted, axis=1)),
        }
        return Update({**update.metrics, **metrics})

    def imagine(self, batch: Rollouts, seed: tf.Tensor) -> Rollouts:
        """Rollouts [B, T] of the policy as it is now."""
        frames = batch.observation[:, : self._frame_stack]
        return imagine(self._world, self.networks.acting, frames, self._config.rollout, seed)


def _uniform(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """A replica's part of uniform numbers in [0, 1), its first axis the batch's."""
    return replicas.drawn(lambda whole: tf.random.stateless_uniform(whole, seed), shape)
