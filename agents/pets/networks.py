"""The ensemble: E networks that differ in weights and data, computed as one batch."""

from __future__ import annotations

import itertools

import sonnet as snt
import tensorflow as tf
import tensorflow_probability as tfp

from agents.moments import mean_and_scale
from agents.pets.config import PETSConfig
from agents.pets.tasks import TASKS
from ops import cem, loader
from ops.cem.ensemble import Forward

tfd = tfp.distributions


class Ensemble(snt.Module):
    """Inputs [E, N, F] → a distribution over outputs [E, N, O]; row e is network e's.

    Each layer is one batched product of [E, N, in] with [E, in, out]. Inputs are normalised by the
    mean and standard deviation of the data the networks were last fitted to.
    """

    def __init__(self, config: PETSConfig, input_size: int, output_size: int) -> None:
        super().__init__(name="ensemble")
        self._config = config
        self.output_size = output_size
        outputs = 2 * output_size if config.probabilistic else output_size
        sizes = [input_size, *config.hidden_layers, outputs]
        members = config.ensemble_size
        self.weights = [
            # The released code's start: truncated at two deviations of 1 / (2 √in).
            tf.Variable(
                tf.random.truncated_normal([members, i, o], stddev=0.5 / i**0.5),
                name=f"weights_{n}",
            )
            for n, (i, o) in enumerate(itertools.pairwise(sizes))
        ]
        self.biases = [
            tf.Variable(tf.zeros([members, 1, o]), name=f"bias_{n}")
            for n, o in enumerate(sizes[1:])
        ]
        self.input_mean = tf.Variable(tf.zeros([input_size]), trainable=False, name="input_mean")
        self.input_stddev = tf.Variable(tf.ones([input_size]), trainable=False, name="input_stddev")
        if config.probabilistic:
            fill = lambda value, name: tf.Variable(tf.fill([output_size], value), name=name)  # noqa: E731
            self.max_log_variance = fill(config.max_log_variance, "max_log_variance")
            self.min_log_variance = fill(config.min_log_variance, "min_log_variance")

    def __call__(self, inputs: tf.Tensor, forward: Forward | None = None) -> tfd.Distribution:
        """Predicts; means and variances are `.mean()` and `.variance()`, [E, N, O].

        `forward`: the layers, `self.forward` by default.
        """
        outputs = (forward or self.forward)((inputs - self.input_mean) / self.input_stddev)
        if not self._config.probabilistic:
            return tfd.Deterministic(outputs)
        mean, log_variance = tf.split(outputs, 2, axis=-1)
        # Soft bounds keep the variance sane far from the data (paper, appendix A.1).
        log_variance = self.max_log_variance - tf.nn.softplus(self.max_log_variance - log_variance)
        log_variance = self.min_log_variance + tf.nn.softplus(log_variance - self.min_log_variance)
        return tfd.Normal(mean, tf.exp(0.5 * log_variance))

    def forward(self, inputs: tf.Tensor) -> tf.Tensor:
        """The layers: [E, N, F] → [E, N, 2 O], or O without variances; has gradients."""
        return self._layers("float32", "tensorflow")(inputs)

    def packed(self) -> Forward:
        """`forward` for planners, with the weights as they are now; make it outside of loops."""
        portable = loader.is_portable()  # A SavedModel's plain TensorFlow has no bfloat16.
        precision = "float32" if portable else self._config.planning_precision
        return self._layers(precision, self._config.planning_backend)

    def _layers(self, precision: str, backend: str) -> Forward:
        biases = [tf.squeeze(bias, axis=1) for bias in self.biases]
        return cem.ensemble_forward(
            self.weights, biases, self._config.activation, precision, backend
        )

    def normalise_by(self, inputs: tf.Tensor) -> None:
        """Takes mean and standard deviation from inputs [N, F]; constant ones are not rescaled."""
        mean, stddev = mean_and_scale(inputs)
        self.input_mean.assign(mean)
        self.input_stddev.assign(stddev)


class DynamicsModel(snt.Module):
    """The ensemble with what its task knows: (observation, action) → next observation, reward."""

    def __init__(self, config: PETSConfig, observation_size: int, action_size: int) -> None:
        super().__init__(name="dynamics")
        self.task = TASKS[config.task]
        self.observation_size, self.action_size = observation_size, action_size
        self.ensemble_size = config.ensemble_size
        features = self.task.features(tf.zeros([1, observation_size])).shape[-1]
        outputs = observation_size + (0 if self.task.reward else 1)
        self.ensemble = Ensemble(config, features + action_size, outputs)

    def inputs(self, observation: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """What enters the ensemble: [..., F + A]."""
        return tf.concat([self.task.features(observation), action], axis=-1)

    def targets(self, observation, following, reward) -> tf.Tensor:
        """What the ensemble learns to predict: [..., O]."""
        targets = self.task.targets(observation, following)
        return targets if self.task.reward else tf.concat([targets, reward[..., None]], axis=-1)

    def predict(
        self, observation: tf.Tensor, action: tf.Tensor, forward: Forward | None = None
    ) -> tfd.Distribution:
        """Predicts for observations [E, N, D] and actions [E, N, A]; `forward`: see `Ensemble`."""
        return self.ensemble(self.inputs(observation, action), forward)

    def advance(self, observation, action, prediction) -> tuple[tf.Tensor, tf.Tensor]:
        """Next observations [..., D] and rewards [...] that a prediction [..., O] means."""
        following = self.task.advance(observation, prediction[..., : self.observation_size])
        if self.task.reward is None:
            return following, prediction[..., -1]
        return following, self.task.reward(observation, action, following)
