"""PETS' learner: fits the ensemble to all transitions so far (paper, Algorithm 1, line 3)."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from agents.learner import Learner, Update, measured_if
from agents.optimizers import Adam
from agents.pets import losses
from agents.pets.calibration import judge, judgements
from agents.pets.config import PETSConfig
from agents.pets.early_stopping import EarlyStopping
from agents.pets.networks import DynamicsModel
from agents.types import Trajectory


class Transitions(NamedTuple):
    """Steps of episodes, in the order they happened.

    Attributes:
      observation, following: [N, D].
      action: [N, A].
      reward: [N].
    """

    observation: tf.Tensor
    action: tf.Tensor
    following: tf.Tensor
    reward: tf.Tensor


def transitions(rows: Trajectory) -> Transitions:
    """Pairs each row [R, …] of whole episodes with the next; an episode's last row begins none."""
    inside = tf.logical_not(rows.start_of_episode[1:])
    take = lambda values: tf.boolean_mask(values, inside)  # noqa: E731
    observation, following = take(rows.observation[:-1]), take(rows.observation[1:])
    return Transitions(observation, take(rows.action[:-1]), following, take(rows.reward[:-1]))


def newest_episode(rows: Trajectory) -> Trajectory:
    """The rows of the episode that was written last, or of its last piece."""
    starts = tf.where(rows.start_of_episode)[:, 0]
    first = tf.reduce_max(tf.concat([tf.zeros([1], tf.int64), starts], axis=0))
    return tf.nest.map_structure(lambda values: values[first:], rows)


class PETSLearner(Learner):
    """One call of `step` is an epoch: each network sees its own resample of the table once.

    `epochs` calls make a trial. Its first one draws the resamples and the held-out transitions,
    refits the input normalisation and, before anything is learned, judges the model by the newest
    episode, which it has not seen (where rounds have several episodes, in the first trial behind
    them only).
    """

    indivisible = "each of its networks goes through the whole table in an order of its own"
    varying = True

    def __init__(self, config: PETSConfig, model: DynamicsModel, seed: int) -> None:
        super().__init__(model, seed)
        self._config, self._model = config, model
        self._variables = model.trainable_variables
        self._optimizer = Adam(self._variables, config.learning_rate)
        self._stopping = None
        if config.patience is not None:
            self._stopping = EarlyStopping(self._variables, config.patience)

    def flop(self, batch: Trajectory) -> int:
        """Floating-point operations of an epoch's products, one forward and two backward."""
        steps = int(tf.shape(transitions(batch).reward)[0])
        count = steps - int(steps * self._config.holdout_share)
        sizes = [int(w.shape[1] * w.shape[2]) for w in self._model.ensemble.weights]
        # Nobody asks for the gradient of the inputs.
        return 2 * (3 * sum(sizes) - sizes[0]) * self._config.ensemble_size * count

    def _judge(self, batch: Trajectory) -> dict[str, tf.Tensor]:
        newest = transitions(newest_episode(batch))
        return judge(self._model, *newest)

    def update(self, batch: Trajectory, seed: tf.Tensor) -> Update:
        """One epoch on all rows [R, …] of the table; the model's judgement comes with its first."""
        config = self._config
        trial, epoch = seed[1] // config.epochs, seed[1] % config.epochs
        judged = measured_if(
            tf.equal(epoch, 0) & (trial > 0),
            judgements(config.probabilistic),
            lambda: self._judge(batch),
        )
        data = transitions(batch)
        inputs = self._model.inputs(data.observation, data.action)  # [N, F]
        targets = self._model.targets(data.observation, data.following, data.reward)  # [N, O]
        learned, held_out = self._split(tf.shape(inputs)[0], tf.stack([seed[0], trial]))
        rows = self._resample(learned, tf.stack([seed[0], trial]), seed)  # [E, n]
        with tf.control_dependencies(tf.nest.flatten(judged)):
            tf.cond(
                tf.equal(epoch, 0),
                lambda: self._begin_trial(tf.gather(inputs, learned)),
                lambda: None,
            )
            loss, norm = self._epoch(inputs, targets, rows)
        held_out_loss = self._held_out_loss(inputs, targets, held_out)
        if self._stopping is not None:
            with tf.control_dependencies([loss]):
                self._stopping.judge(held_out_loss, tf.equal(epoch, config.epochs - 1))
        metrics = {"loss/total": loss, "learner/gradient_norm": norm, **judged}
        if config.holdout_share > 0:
            metrics["loss/held_out"] = held_out_loss
        return Update(metrics)

    def _begin_trial(self, inputs: tf.Tensor) -> None:
        self._model.ensemble.normalise_by(inputs)
        if self._stopping is not None:
            self._stopping.begin()

    def _split(self, count: tf.Tensor, trial_seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Indices of the transitions to learn from and of those held out, of `count`."""
        if self._config.holdout_share == 0:
            return tf.range(count), tf.zeros([0], tf.int32)
        seed = tf.random.experimental.stateless_fold_in(trial_seed, 1)
        order = tf.argsort(tf.random.stateless_uniform([count], seed))
        held_out = tf.cast(tf.cast(count, tf.float32) * self._config.holdout_share, tf.int32)
        return order[held_out:], order[:held_out]

    def _resample(self, learned, trial_seed, epoch_seed) -> tf.Tensor:
        """Rows of each network's epoch [E, n]: the trial's resample in the epoch's order."""
        count, members = tf.shape(learned)[0], self._config.ensemble_size
        drawn = tf.tile(tf.range(count)[None], [members, 1])
        if self._config.bootstrap:
            seed = tf.random.experimental.stateless_fold_in(trial_seed, 2)
            shape = [members, count]
            drawn = tf.random.stateless_uniform(shape, seed, maxval=count, dtype=tf.int32)
        shuffle = tf.random.experimental.stateless_fold_in(epoch_seed, 3)
        order = tf.argsort(tf.random.stateless_uniform([members, count], shuffle), axis=1)
        return tf.gather(learned, tf.gather(drawn, order, batch_dims=1))

    def _epoch(self, inputs, targets, rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Goes through rows [E, n] batch by batch; returns means of loss and gradient's norm."""
        size, count = self._config.batch_size, tf.shape(rows)[1]
        batches = tf.cast(tf.math.ceil(count / size), tf.int32)
        if self._stopping is not None:
            batches = tf.where(self._stopping.stopped.read_value(), 0, batches)

        def body(i, loss_sum, norm_sum):
            batch = rows[:, i * size : (i + 1) * size]  # [E, ≤ size]
            loss, norm = self._descend(tf.gather(inputs, batch), tf.gather(targets, batch))
            return i + 1, loss_sum + loss, norm_sum + norm

        start = (tf.constant(0), tf.constant(0.0), tf.constant(0.0))
        _, loss, norm = tf.while_loop(lambda i, *_: i < batches, body, start, parallel_iterations=1)
        divisor = tf.maximum(tf.cast(batches, tf.float32), 1.0)
        return loss / divisor, norm / divisor

    def _descend(self, inputs: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """One step of gradient descent on a batch [E, b, …]."""
        with tf.GradientTape() as tape:
            loss = self.loss(inputs, targets)
        gradients = tape.gradient(loss, self._variables)
        self._optimizer.apply(gradients)
        return loss, tf.linalg.global_norm(gradients)

    def loss(self, inputs: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Sum of the networks' losses on [E, b, …], weight decay and the bounds' penalty."""
        config, ensemble = self._config, self._model.ensemble
        loss = tf.reduce_sum(losses.prediction_loss(ensemble(inputs), targets))
        loss += losses.weight_penalty(ensemble.weights, config.weight_decays)
        if config.probabilistic:
            bounds = losses.bound_penalty(ensemble.max_log_variance, ensemble.min_log_variance)
            loss += config.bound_penalty * bounds
        return loss

    def _held_out_loss(self, inputs, targets, held_out) -> tf.Tensor:
        """The networks' mean loss on held-out transitions; 0 when there are none."""
        members = self._config.ensemble_size
        copies = lambda x: tf.repeat(tf.gather(x, held_out)[None], members, axis=0)  # noqa: E731
        loss = losses.prediction_loss(self._model.ensemble(copies(inputs)), copies(targets))
        return tf.where(tf.size(held_out) > 0, tf.reduce_mean(loss), 0.0)
