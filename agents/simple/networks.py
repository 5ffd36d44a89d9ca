"""SimPLe's model of a game: frames and an action → the next frame, its reward, and if it ends.

    frames ─ embed ┬ down ┬ down ┬ … ─ ⊙ action ─ ⊙ bits ─ blocks ─ ⊙ action ─ up ─ … ┬ pixels
                   └──────┴──────┴────────────── skips ────────────────────────┘      └ reward, end

    frames, action, next frame ─ inference network ─ bits      while it learns
                        frames, action ─ LSTM ─ bits           at play

(paper, figure 2). Bits hold what frames and action leave open, such as where the next ball appears.
The inference network sees the frame that came; the LSTM learns to predict its bits, one group
behind the other, and takes its place at play. The `deterministic` model has no bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import sonnet as snt
import tensorflow as tf

from agents import replicas
from agents.networks.perception import as_numbers
from agents.networks.recurrent import LSTM
from agents.networks.residual import Normalisation
from agents.simple.config import SimPLeConfig
from agents.simple.losses import bits_of, groups_of, pixels_of

_KERNEL = 4
_FIRST_STDDEV = 0.01


class Seen(NamedTuple):
    """What the model makes of frames and an action.

    Attributes:
      skips: maps [N, H_l, W_l, F_l], the finest first.
      map: [N, h, w, F], the coarsest, with the action in it.
    """

    skips: list[tf.Tensor]
    map: tf.Tensor


class Prediction(NamedTuple):
    """What comes next, undecided.

    Attributes:
      pixels: logits [N, H, W, C, L] of its levels, or values [N, H, W, C].
      reward: logits [N, K] of its classes.
      end: logit [N]; of models that predict none very low.
    """

    pixels: tf.Tensor
    reward: tf.Tensor
    end: tf.Tensor


class WorldModel(snt.Module):
    """The whole model.

    Args:
      config: settings.
      num_actions: A.
      image: of one frame [H, W, C].

    Attributes:
      image: likewise.
      latents: None: the model is deterministic.
    """

    def __init__(self, config: SimPLeConfig, num_actions: int, image: tf.TensorSpec) -> None:
        super().__init__(name="world_model")
        self._config, self.image = config, image
        sizes, filters = _scales(config, image.shape)
        self._embed = _embedding(filters[0])
        self._downs = [Down(size, config) for size in filters[1:]]
        self._action = ActionInjection(num_actions, filters[-1], config.action_injection)
        self._blocks = [Block(filters[-1], config) for _ in range(config.blocks)]
        self._ups = [
            Up(num_actions, filters[i + 1], filters[i], sizes[i], config)
            for i in reversed(range(config.downsamplings))
        ]
        outputs = config.levels if config.pixels == "softmax" else 1
        self._pixels = snt.Conv2D(outputs * image.shape[-1], 1, name="pixels")
        self._places = None
        if config.reward_channels:
            self._places = snt.Conv2D(config.reward_channels, 3, name="places")
        head = [config.head_size, len(config.reward_values) + config.predict_ends]
        self._head = snt.nets.MLP(head, name="head")
        self.latents = None
        if config.model == "stochastic":
            self.latents = Latents(config, num_actions, (*sizes[-1], filters[-1]))
        self._initialise()

    def _initialise(self) -> None:
        """Creates all variables by one step on zeros."""
        frame = tf.zeros([1, *self.image.shape], self.image.dtype)
        stack, action = tf.repeat(frame, self._config.frame_stack, axis=-1), tf.zeros([1], tf.int32)
        seen, bits = self.see(stack, action), None
        if self.latents is not None:
            bits = self.latents.infer(self.evidence(stack, seen, action, frame), action)
            self.latents.log_likelihood(seen.map, bits)
        self.predict(seen, action, bits)

    def see(self, stack: tf.Tensor, action: tf.Tensor, seed: tf.Tensor | None = None) -> Seen:
        """Frames uint8 [N, H, W, S · C] and actions int32 [N] → maps; `seed` draws the dropout."""
        hidden = with_places(self._embed(as_numbers(stack)))
        skips = [hidden]
        for i, down in enumerate(self._downs):
            hidden = down(hidden, _fold(seed, i))
            skips.append(hidden)
        return Seen(skips[:-1], self._action(hidden, action))

    def predict(
        self,
        seen: Seen,
        action: tf.Tensor,
        bits: tf.Tensor | None,
        used: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
    ) -> Prediction:
        """What comes next.

        Args:
          seen: what `see` gave.
          action: [N].
          bits: [N, bits]; None: none, as of the deterministic model.
          used: bool [N], rows that are shown their bits; None: all.
          seed: draws the dropout.
        """
        hidden = seen.map
        if bits is not None:
            hidden = self.latents.inject(hidden, bits, used)
        middle = tf.reduce_mean(hidden, axis=[1, 2])
        for i, block in enumerate(self._blocks):
            hidden = block(hidden, _fold(seed, 100 + i))
        for i, (up, skip) in enumerate(zip(self._ups, reversed(seen.skips), strict=True)):
            hidden = up(hidden, skip, action, _fold(seed, 200 + i))
        return self._decided_by(self._pixels(hidden), self._head(self._summary(middle, hidden)))

    def _summary(self, middle: tf.Tensor, finest: tf.Tensor) -> tf.Tensor:
        """What rewards and ends are told [N, F]: the maps' means, the greatest of what is where."""
        parts = [middle, tf.reduce_mean(finest, axis=[1, 2])]
        if self._places is not None:
            parts.append(tf.reduce_max(tf.nn.relu(self._places(finest)), axis=[1, 2]))
        return tf.concat(parts, axis=-1)

    def evidence(
        self, stack: tf.Tensor, seen: Seen, action: tf.Tensor, frame: tf.Tensor
    ) -> tf.Tensor:
        """What the bits of a frame that came [N, H, W, C] are inferred from, as images of numbers.

        `stack` is what `seen` was made of.
        """
        if self._config.inference == "frames":
            return as_numbers(tf.concat([stack, frame], axis=-1))
        expected = self._expected(self.predict(seen, action, None))
        return as_numbers(frame) - tf.stop_gradient(expected)

    def _expected(self, prediction: Prediction) -> tf.Tensor:
        """The mean frame, in [0, 1]."""
        if self._config.pixels == "regression":
            return prediction.pixels / 255.0
        levels = tf.linspace(0.0, 1.0, self._config.levels)
        return tf.linalg.matvec(tf.nn.softmax(prediction.pixels), levels)

    def _decided_by(self, pixels: tf.Tensor, head: tf.Tensor) -> Prediction:
        config, shape = self._config, self.image.shape
        if config.pixels == "softmax":
            pixels = tf.reshape(pixels, [-1, *shape, config.levels])
        else:
            pixels = 255.0 * pixels
        if not config.predict_ends:
            return Prediction(pixels, head, tf.fill(tf.shape(head)[:1], -1e9))
        return Prediction(pixels, head[:, :-1], head[:, -1])

    def frame(self, prediction: Prediction) -> tf.Tensor:
        """The likeliest frame, bytes [N, H, W, C]."""
        config = self._config
        if config.pixels == "softmax":
            classes = tf.argmax(prediction.pixels, axis=-1, output_type=tf.int32)
            return pixels_of(classes, config.levels)
        return tf.cast(tf.clip_by_value(tf.round(prediction.pixels), 0.0, 255.0), tf.uint8)

    def reward(self, prediction: Prediction) -> tf.Tensor:
        """The reward [N], the likeliest or the mean."""
        values = tf.constant(self._config.reward_values, tf.float32)
        if self._config.imagined_reward == "mean":
            return tf.linalg.matvec(tf.nn.softmax(prediction.reward), values)
        return tf.gather(values, tf.argmax(prediction.reward, axis=-1))


class Latents(snt.Module):
    """Bits: inferred from the frame that came, predicted without it, injected into a map.

    Args:
      config: settings.
      num_actions: A.
      shape: of the coarsest map [h, w, F].
    """

    def __init__(self, config: SimPLeConfig, num_actions: int, shape: tuple[int, int, int]) -> None:
        super().__init__(name="latents")
        self._config, self._shape = config, shape
        self._embed = _embedding(config.channels)
        self._downs = [Down(config.channels, config) for _ in range(config.downsamplings)]
        self._action = ActionInjection(num_actions, config.channels, config.action_injection)
        self._numbers = snt.Linear(config.bits, name="numbers")
        # A factor and an offset for each number of the map; places, too, hang on the bits.
        self._injection = snt.Linear(2 * int(np.prod(shape)), name="injection")
        self._start = snt.Linear(2 * config.predictor_size, name="start")
        self._group = snt.Linear(config.predictor_size, name="group")
        self._lstm = LSTM(config.predictor_size)
        self._logits = snt.Linear(2**config.bits_at_once, name="logits")

    def infer(
        self, evidence: tf.Tensor, action: tf.Tensor, seed: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The numbers [N, bits] whose signs the bits are, given `WorldModel.evidence`."""
        hidden = with_places(self._embed(evidence))
        for i, down in enumerate(self._downs):
            hidden = down(hidden, _fold(seed, 300 + i))
        numbers = self._numbers(snt.flatten(self._action(hidden, action)))
        if not self._config.bits_standardised:
            return numbers
        mean = replicas.mean(tf.reduce_mean(numbers, axis=0))
        variance = replicas.mean(tf.reduce_mean(tf.square(numbers - mean), axis=0))
        return (numbers - mean) * tf.math.rsqrt(variance + 1e-6)

    def inject(self, hidden: tf.Tensor, bits: tf.Tensor, used: tf.Tensor | None) -> tf.Tensor:
        """The map [N, h, w, F] with the bits in it, of the rows that are shown them."""
        scale, offset = tf.split(self._injection(bits), 2, axis=-1)
        shape = [-1, *self._shape]
        added = hidden * tf.sigmoid(tf.reshape(scale, shape)) + tf.reshape(offset, shape)
        return added if used is None else tf.where(used[:, None, None, None], added, hidden)

    def log_likelihood(self, hidden: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
        """log p(bits | map) [N] of the predictor, nats."""
        size = self._config.bits_at_once
        groups = tf.unstack(groups_of(bits, size), axis=1)
        state, total = self._begin(hidden), 0.0
        previous = tf.zeros([tf.shape(hidden)[0], size])
        for group in groups:
            logits, state = self._next(previous, state)
            total -= tf.nn.sparse_softmax_cross_entropy_with_logits(group, logits)
            previous = bits_of(group, size)
        return total

    def draw(self, hidden: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Bits [N, bits] of the predictor's own, −1 or 1."""
        size, temperature = self._config.bits_at_once, self._config.temperature
        state, drawn = self._begin(hidden), []
        previous = tf.zeros([tf.shape(hidden)[0], size])
        for i in range(self._config.bits // size):
            logits, state = self._next(previous, state)
            group = replicas.sampled(
                lambda logits, i=i: tf.random.stateless_categorical(
                    logits, 1, _fold(seed, i), tf.int32
                )[:, 0],
                logits / temperature,
            )
            previous = bits_of(group, size)
            drawn.append(previous)
        return tf.concat(drawn, axis=-1)

    def _begin(self, hidden: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        start = self._start(snt.flatten(hidden))
        state, cell = tf.split(start, 2, axis=-1)
        return tf.tanh(state), cell

    def _next(
        self, previous: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor]
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        state = self._lstm(self._group(previous), *state)
        return self._logits(state[0]), state


class ActionInjection(snt.Module):
    """A map [N, h, w, F] with an action [N] in it."""

    def __init__(self, num_actions: int, filters: int, kind: str) -> None:
        super().__init__(name="action")
        self._gated = kind == "gated"
        initial = tf.random.normal([num_actions, filters], stddev=0.1)
        self._scale = tf.Variable(initial if self._gated else 1.0 + initial, name="scale")
        if self._gated:
            self._offset = tf.Variable(tf.zeros([num_actions, filters]), name="offset")

    def __call__(self, hidden: tf.Tensor, action: tf.Tensor) -> tf.Tensor:
        """Returns the map."""
        scale = tf.gather(self._scale, action)[:, None, None]
        if not self._gated:
            return hidden * scale
        return hidden * tf.sigmoid(scale) + tf.gather(self._offset, action)[:, None, None]


class Down(snt.Module):
    """[N, h, w, …] → [N, ⌈h / 2⌉, ⌈w / 2⌉, filters]."""

    def __init__(self, filters: int, config: SimPLeConfig) -> None:
        super().__init__(name="down")
        self._dropout = config.dropout
        self._conv = snt.Conv2D(filters, _KERNEL, stride=2)
        self._normalisation = Normalisation(config.normalisation)

    def __call__(self, hidden: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Returns the map."""
        hidden = tf.nn.relu(self._conv(dropped(hidden, self._dropout, seed)))
        return with_places(self._normalisation(hidden, is_training=seed is not None))


class Up(snt.Module):
    """[N, ⌈h / 2⌉, ⌈w / 2⌉, inputs] and a map [N, h, w, filters] → [N, h, w, filters]."""

    def __init__(
        self,
        num_actions: int,
        inputs: int,
        filters: int,
        size: tuple[int, int],
        config: SimPLeConfig,
    ) -> None:
        super().__init__(name="up")
        self._dropout = config.dropout
        self._action = ActionInjection(num_actions, inputs, config.action_injection)
        self._conv = snt.Conv2DTranspose(filters, _KERNEL, output_shape=size, stride=2)
        self._normalisation = Normalisation(config.normalisation)

    def __call__(
        self, hidden: tf.Tensor, skip: tf.Tensor, action: tf.Tensor, seed: tf.Tensor | None
    ) -> tf.Tensor:
        """Returns the map."""
        hidden = self._action(dropped(hidden, self._dropout, seed), action)
        hidden = tf.nn.relu(self._conv(hidden)) + skip
        return with_places(self._normalisation(hidden, is_training=seed is not None))


class Block(snt.Module):
    """A residual convolution."""

    def __init__(self, filters: int, config: SimPLeConfig) -> None:
        super().__init__(name="block")
        self._dropout = config.dropout
        self._conv = snt.Conv2D(filters, 3)
        self._normalisation = Normalisation(config.normalisation)

    def __call__(self, hidden: tf.Tensor, seed: tf.Tensor | None) -> tf.Tensor:
        """Returns the map."""
        added = tf.nn.relu(self._conv(dropped(hidden, self._dropout, seed)))
        return self._normalisation(hidden + added, is_training=seed is not None)


def with_places(hidden: tf.Tensor) -> tf.Tensor:
    """The map [N, h, w, F] with sines and cosines of its rows and columns added.

    Convolutions do not know where they are. (Vaswani et al. 2017, section 3.5, for each axis.)
    """
    _, height, width, filters = hidden.shape
    # One by one: a constant [h, w, F] at each of these places makes a program of 150 MB.
    return hidden + _places(height, filters, 0)[:, None] + _places(width, filters, 1)


def _places(length: int, filters: int, axis: int) -> np.ndarray:
    count = filters // 4
    frequencies = 10_000.0 ** (-np.arange(count) / max(count - 1, 1))
    angles = np.arange(length)[:, None] * frequencies  # [length, count]
    signal = np.zeros([length, filters], np.float32)
    filled = slice(2 * count * axis, 2 * count * (axis + 1))
    signal[:, filled] = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    return signal


def dropped(hidden: tf.Tensor, rate: float, seed: tf.Tensor | None) -> tf.Tensor:
    """The map with a share of its numbers 0, others larger by as much; without a seed as it is."""
    if seed is None or rate == 0:
        return hidden
    uniform = lambda shape: tf.random.stateless_uniform(shape, seed)  # noqa: E731
    kept = replicas.drawn(uniform, hidden.shape) >= rate
    return tf.where(kept, hidden * (1.0 / (1.0 - rate)), 0.0)


def _scales(config: SimPLeConfig, shape: tf.TensorShape) -> tuple[list[tuple[int, int]], list[int]]:
    """Sizes [H_l, W_l] and filters of all scales, the finest first."""
    sizes, filters = [(shape[0], shape[1])], [config.channels]
    for i in range(config.downsamplings):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        filters.append(filters[-1] * (2 if i < config.doublings else 1))
    return sizes, filters


def _embedding(filters: int) -> snt.Conv2D:
    """Of each pixel; the offset is not 0, for what is black throughout."""
    noise = snt.initializers.RandomNormal(stddev=_FIRST_STDDEV)
    return snt.Conv2D(filters, 1, b_init=noise, name="embed")


def _fold(seed: tf.Tensor | None, number: int) -> tf.Tensor | None:
    return None if seed is None else tf.random.experimental.stateless_fold_in(seed, number)
