"""MuZero's three functions: representation h, dynamics g, prediction f (paper, appendix F).

observations ─h─→ latent ─f─→ policy, value
                    │
       action ──────g─→ reward, latent ─f─→ policy, value
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import sonnet as snt
import tensorflow as tf

from agents.boards.planes import action_planes
from agents.frame_stacking import into_channels
from agents.muzero.config import MuZeroConfig
from agents.networks.residual import (
    DenseStack,
    NormalisedConv,
    PredictionHead,
    ResidualTower,
    start_from_unit_variance,
)
from agents.value_transforms import from_categories, squash, to_categories, unsquash


class Prediction(NamedTuple):
    """What the model says of a batch of latent states.

    Attributes:
      latent: [B, …].
      reward: raw [B, 1 or categories], of the step that led here; zeros at the root.
      prior_logits: [B, A].
      value: raw, as the reward.
    """

    latent: tf.Tensor
    reward: tf.Tensor
    prior_logits: tf.Tensor
    value: tf.Tensor


class MuZeroNetwork(snt.Module):
    """All networks of one agent.

    Attributes:
      num_actions: A.
      training_step: updates so far; the learner counts, the temperature follows.
    """

    def __init__(
        self, config: MuZeroConfig, num_actions: int, seen: tf.TensorSpec, name: str = "muzero"
    ) -> None:
        """Makes all variables; `seen` is the spec of one observation."""
        super().__init__(name=name)
        self.config, self.num_actions = config, num_actions
        self.training_step = tf.Variable(0, trainable=False, name="training_step")
        make = _Vectors if config.torso == "mlp" else _Images
        self._torso = make(config, num_actions)
        outputs = 1 if config.value_limit is None else 2 * config.value_limit + 1
        channels = None if config.torso == "mlp" else config.head_channels
        head = functools.partial(
            PredictionHead, channels, config.head_layers, normalisation=config.normalisation
        )
        self._reward = head(outputs, name="reward")
        self._value = head(outputs, name="value")
        self._policy = head(num_actions, name="policy")
        self._projection = _Projection(config) if config.consistency_scale else None
        stack = config.frame_stack
        actions = tf.zeros([1, stack], tf.int32)
        root = self.initial_inference(tf.zeros([1, stack, *seen.shape], seen.dtype), actions)
        self.recurrent_inference(root.latent, actions[:, 0])
        if self._projection is not None:
            self.agreement(root.latent, root.latent)
        start_from_unit_variance(self)

    def initial_inference(
        self, observations: tf.Tensor, actions: tf.Tensor, is_training: bool = False
    ) -> Prediction:
        """h, then f.

        Args:
          observations: [B, S, …], the newest last.
          actions: int32 [B, S], what led to each; read where S > 1.
          is_training: whether batch normalisation sees a training batch.
        """
        latent = self._torso.represent(observations, actions, is_training)
        return self._predict(latent, None, is_training)

    def recurrent_inference(
        self, latent: tf.Tensor, action: tf.Tensor, is_training: bool = False
    ) -> Prediction:
        """g, then f: latent [B, …] and action int32 [B]."""
        latent = self._torso.step(latent, action, is_training)
        return self._predict(latent, self._reward(latent, is_training), is_training)

    def represent(self, observations: tf.Tensor, actions: tf.Tensor) -> tf.Tensor:
        """h alone, of a training batch; arguments as of `initial_inference`."""
        return self._torso.represent(observations, actions, is_training=True)

    def agreement(self, arrived: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
        """Cosine [B] between where the dynamics arrived and what was seen there, both [B, …].

        Of their projections, and what was seen gets no gradient (Ye et al. 2021, section 4.1).
        Needs `consistency_scale`.
        """
        return self._projection(arrived, seen)

    def to_raw(self, numbers: tf.Tensor) -> tf.Tensor:
        """Targets [...] as what the heads are compared with: categories, or numbers [..., 1]."""
        config = self.config
        if config.value_limit is None:
            return numbers[..., None]
        return to_categories(squash(numbers, config.value_epsilon), config.value_limit)

    def to_number(self, raw: tf.Tensor) -> tf.Tensor:
        """A head's output [..., 1 or categories] as a number [...]."""
        config = self.config
        if config.value_limit is None:
            return tf.tanh(raw[..., 0])
        return unsquash(from_categories(tf.nn.softmax(raw)), config.value_epsilon)

    def _predict(
        self, latent: tf.Tensor, reward: tf.Tensor | None, is_training: bool
    ) -> Prediction:
        value = self._value(latent, is_training)
        reward = tf.zeros_like(value) if reward is None else reward
        return Prediction(latent, reward, self._policy(latent, is_training), value)


class _Projection(snt.Module):
    """SimSiam's two heads (Chen & He 2021): both sides are projected, one predicts the other."""

    def __init__(self, config: MuZeroConfig) -> None:
        super().__init__(name="projection")
        size, kind = config.projection_size, config.normalisation
        self._project = DenseStack((size, size), size, kind, name="project")
        self._predict = DenseStack((size // 2,), size, kind, name="predict")

    def __call__(self, arrived: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
        arrived = self._project(snt.flatten(arrived), True)  # [B, size]
        seen = tf.stop_gradient(self._project(snt.flatten(seen), True))
        guess = tf.math.l2_normalize(self._predict(arrived, True), axis=-1)
        return tf.reduce_sum(guess * tf.math.l2_normalize(seen, axis=-1), axis=-1)


class _Vectors(snt.Module):
    """Representation and dynamics of dense layers, for vectors."""

    def __init__(self, config: MuZeroConfig, num_actions: int) -> None:
        super().__init__(name="vectors")
        self._config, self._num_actions = config, num_actions
        arguments = (config.hidden_layers, config.latent_size, config.normalisation)
        self._representation = DenseStack(*arguments, name="representation")
        self._dynamics = DenseStack(*arguments, name="dynamics")

    def represent(
        self, observations: tf.Tensor, actions: tf.Tensor, is_training: bool
    ) -> tf.Tensor:
        """Observations [B, S, …] → latent [B, L]."""
        inputs = snt.flatten(observations)
        if self._config.frame_stack > 1:
            past = snt.flatten(tf.one_hot(actions, self._num_actions))
            inputs = tf.concat([inputs, past], axis=1)
        return _scaled(self._representation(inputs, is_training), self._config)

    def step(self, latent: tf.Tensor, action: tf.Tensor, is_training: bool) -> tf.Tensor:
        """Latent [B, L] and action [B] → next latent [B, L]."""
        inputs = tf.concat([latent, tf.one_hot(action, self._num_actions)], axis=1)
        return _scaled(latent + self._dynamics(inputs, is_training), self._config)


class _Images(snt.Module):
    """Representation and dynamics of residual convolutions, for images and boards."""

    def __init__(self, config: MuZeroConfig, num_actions: int) -> None:
        super().__init__(name="images")
        self._config, self._num_actions = config, num_actions
        width, normalisation = config.channels, config.normalisation
        self._downsampling: list[snt.Module] = []
        if config.torso == "atari":
            self._downsampling = _downsampling(config)
        else:
            self._first = NormalisedConv(width, 3, normalisation)
        self._representation = ResidualTower(config.blocks, width, normalisation)
        self._join = NormalisedConv(width, 3, normalisation, name="join")
        self._dynamics = ResidualTower(config.blocks, width, normalisation, name="dynamics")

    def represent(
        self, observations: tf.Tensor, actions: tf.Tensor, is_training: bool
    ) -> tf.Tensor:
        """Observations [B, S, H, W, P] → latent [B, h, w, channels]."""
        image = _stacked(observations, actions, self._num_actions)
        if not self._downsampling:
            image = tf.nn.relu(self._first(image, is_training))
        for layer in self._downsampling:
            image = layer(image, is_training)
        return _scaled(self._representation(image, is_training), self._config)

    def step(self, latent: tf.Tensor, action: tf.Tensor, is_training: bool) -> tf.Tensor:
        """Latent [B, h, w, channels] and action [B] → next latent."""
        planes = action_planes(
            action, self._config.action_planes, self._num_actions, *latent.shape[1:3]
        )
        joined = self._join(tf.concat([latent, planes], axis=-1), is_training)
        # The state itself passes by, so that what a move leaves alone need not be learned.
        hidden = tf.nn.relu(joined + latent)
        return _scaled(self._dynamics(hidden, is_training), self._config)


class _Downsample(snt.Module):
    """A rectified convolution of stride 2, or an average pool, and a tower behind it."""

    def __init__(self, config: MuZeroConfig, width: int, blocks: int, convolve: bool) -> None:
        super().__init__(name="downsample")
        self._conv = NormalisedConv(width, 3, config.normalisation, 2) if convolve else None
        self._tower = ResidualTower(blocks, width, config.normalisation)

    def __call__(self, image: tf.Tensor, is_training: bool) -> tf.Tensor:
        if self._conv is None:
            image = tf.nn.avg_pool2d(image, 3, 2, "SAME")
        else:
            image = tf.nn.relu(self._conv(image, is_training))
        return self._tower(image, is_training)


def _downsampling(config: MuZeroConfig) -> list[snt.Module]:
    """Four halvings: two convolutions, the first of half the width, and two pools."""
    half, width = max(1, config.channels // 2), config.channels
    first, second, third = config.downsampling_blocks
    return [
        _Downsample(config, half, first, convolve=True),
        _Downsample(config, width, second, convolve=True),
        _Downsample(config, width, third, convolve=False),
        _Downsample(config, width, 0, convolve=False),
    ]


def _stacked(observations: tf.Tensor, actions: tf.Tensor, num_actions: int) -> tf.Tensor:
    """[B, S, H, W, P] → [B, H, W, S · P], with a plane for each past action where S > 1."""
    stack, height, width, _ = observations.shape[1:]
    is_image = observations.dtype == tf.uint8
    frames = tf.cast(observations, tf.float32) / (255.0 if is_image else 1.0)
    frames = into_channels(frames)
    if stack == 1:
        return frames
    past = tf.cast(actions, tf.float32)[:, None, None, :] / num_actions
    return tf.concat([frames, tf.tile(past, [1, height, width, 1])], axis=-1)


def _scaled(latent: tf.Tensor, config: MuZeroConfig) -> tf.Tensor:
    """Each row of [B, …] scaled to [0, 1], like the actions that it meets (appendix G)."""
    if config.latent_scaling == "none":
        return latent
    axes = list(range(1, latent.shape.rank))
    least = tf.reduce_min(latent, axes, keepdims=True)
    greatest = tf.reduce_max(latent, axes, keepdims=True)
    return (latent - least) / tf.maximum(greatest - least, 1e-5)
