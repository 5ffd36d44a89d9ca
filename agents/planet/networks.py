"""PlaNet's world model: encoder, latent dynamics, decoder and reward head.

      o_t-1         o_t           images           observed:  h_t = f(h_t-1, s_t-1, a_t-1)
        |            |                                        s_t ~ q(s_t | h_t, o_t)
        v            v
      s_t-1 ------> s_t ------>   stochastic       imagined:  h_t = f(h_t-1, s_t-1, a_t-1)
        |     \\      |     \\                                  s_t ~ p(s_t | h_t)
        v      \\     v      \\
      h_t-1 ---> > h_t ---> >     deterministic    decoded:   p(o_t | h_t, s_t)
              /            /                                  p(r_t | h_t, s_t)
          a_t-1          a_t      actions

(paper, figure 2c). `ssm` leaves h out: s_t ~ p(s_t | s_t-1, a_t-1). `rnn` leaves the randomness
out: s_t is the mean of its distribution, and distributions have unit variance.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sonnet as snt
import tensorflow as tf
import tensorflow_probability as tfp

from agents import replicas
from agents.networks.convolutional import ConvolutionalDecoder, ConvolutionalEncoder
from agents.networks.mlp import ACTIVATIONS, ScalarHead
from agents.networks.recurrent import GRU
from agents.planet.config import PlaNetConfig
from agents.unrolling import unroll

tfd = tfp.distributions


class LatentState(NamedTuple):
    """A latent state and the diagonal Gaussian that it was drawn from.

    Attributes:
      deterministic: [..., D] GRU state; D is 0 in the `ssm`.
      stochastic: [..., S] the draw.
      mean, stddev: [..., S] parameters of its distribution.
    """

    deterministic: tf.Tensor
    stochastic: tf.Tensor
    mean: tf.Tensor
    stddev: tf.Tensor

    @property
    def features(self) -> tf.Tensor:
        """[..., D + S] what the decoder and the reward head see."""
        return tf.concat([self.deterministic, self.stochastic], axis=-1)

    @property
    def distribution(self) -> tfd.Distribution:
        """Distribution of `stochastic`, one event a leading index."""
        return tfd.MultivariateNormalDiag(self.mean, self.stddev)


class LatentDynamics(snt.Module):
    """Transition p(s_t | s_<t, a_<t) and filter q(s_t | o_≤t, a_<t) of one of the three models."""

    def __init__(self, config: PlaNetConfig, name: str = "dynamics") -> None:
        super().__init__(name=name)
        self.kind = config.dynamics
        self.stochastic_size = config.stochastic_size
        self.deterministic_size = 0 if self.kind == "ssm" else config.deterministic_size
        self._min_stddev = config.min_stddev
        self._activation = ACTIVATIONS[config.activation]
        self._from_stochastic = snt.Linear(config.hidden_size, name="from_stochastic")
        self._from_action = snt.Linear(config.hidden_size, with_bias=False, name="from_action")
        self._gru = GRU(config.deterministic_size) if self.kind != "ssm" else None
        self._prior_hidden = snt.Linear(config.hidden_size, name="prior_hidden")
        self._posterior_hidden = snt.Linear(config.hidden_size, name="posterior_hidden")
        self._from_embedding = snt.Linear(
            config.hidden_size, with_bias=False, name="from_embedding"
        )
        outputs = config.stochastic_size * (1 if self.kind == "rnn" else 2)
        self._prior_output = snt.Linear(outputs, name="prior_output")
        self._posterior_output = snt.Linear(outputs, name="posterior_output")

    @property
    def imagination_modules(self) -> list[snt.Module]:
        """What `img_step` goes through."""
        modules = [self._from_stochastic, self._from_action, self._prior_hidden, self._prior_output]
        return modules + ([self._gru] if self._gru is not None else [])

    def initial(self, batch_size: int | tf.Tensor) -> LatentState:
        """The state before the first observation: zeros [B, …]."""
        zeros = tf.zeros([batch_size, self.stochastic_size])
        return LatentState(tf.zeros([batch_size, self.deterministic_size]), zeros, zeros, zeros)

    def img_step(
        self, state: LatentState, action: tf.Tensor, noise: tf.Tensor | None = None
    ) -> LatentState:
        """Imagines a step: state [N, …] and action [N, A] → prior state.

        `noise` [N, S] is the standard normal draw that makes the sample; without it, the mean.
        """
        hidden, deterministic = self._advance(state, self._from_action(action))
        mean, stddev = self._prior(hidden)
        return self._draw(deterministic, mean, stddev, noise)

    def obs_step(
        self, state: LatentState, action: tf.Tensor, embedding: tf.Tensor, noise: tf.Tensor | None
    ) -> LatentState:
        """Filters a step: state [N, …], action [N, A] taken there, embedding [N, E] seen next."""
        return self._filter(
            state, self._from_action(action), self._from_embedding(embedding), noise
        )[0]

    def observe(
        self,
        embedding: tf.Tensor,
        previous_action: tf.Tensor,
        noise: tf.Tensor,
        start: LatentState | None = None,
    ) -> tuple[LatentState, LatentState]:
        """Filters whole sequences.

        What does not hang on the last state is computed for all steps at once: the inputs' shares
        of the first layers before the loop, the priors behind it.

        Args:
          embedding: [B, T, E] of the observations.
          previous_action: [B, T, A] action that led to each observation; zeros at the start.
          noise: [B, T, S] standard normal draws.
          start: state [B, …] before the first observation; without it, the initial one.

        Returns:
          posterior and prior states [B, T, …]; the prior's `stochastic` is its mean.
        """
        from_action = _over_time(self._from_action, previous_action)
        from_embedding = _over_time(self._from_embedding, embedding)
        state = self.initial(embedding.shape[0]) if start is None else start

        def step(state: LatentState, given: tuple[tf.Tensor, ...]) -> tuple[LatentState, Any]:
            state, hidden = self._filter(state, *given)
            return state, (state, hidden)

        given = (from_action, from_embedding, noise)
        like = (state, from_action[:, 0] if self._gru is None else state.deterministic)
        _, (posterior, hidden) = unroll(step, state, given, like)  # hidden [B, T, …]
        parameters = _over_time(lambda x: tf.concat(self._prior(x), axis=-1), hidden)
        mean, stddev = tf.split(parameters, 2, axis=-1)
        return posterior, LatentState(posterior.deterministic, mean, mean, stddev)

    def imagine(
        self, state: LatentState, actions: tf.Tensor, noise: tf.Tensor | None
    ) -> LatentState:
        """Rolls states [N, …] out along actions [N, H, A], noise [N, H, S] → states [N, H, …]."""
        steps = []
        for t in range(actions.shape[1]):
            state = self.img_step(state, actions[:, t], None if noise is None else noise[:, t])
            steps.append(state)
        return LatentState(*(tf.stack(values, axis=1) for values in zip(*steps, strict=True)))

    def _filter(
        self,
        state: LatentState,
        from_action: tf.Tensor,
        from_embedding: tf.Tensor,
        noise: tf.Tensor | None,
    ) -> tuple[LatentState, tf.Tensor]:
        hidden, deterministic = self._advance(state, from_action)
        posterior_hidden = self._activation(self._posterior_hidden(hidden) + from_embedding)
        mean, stddev = self._parameters(self._posterior_output(posterior_hidden))
        return self._draw(deterministic, mean, stddev, noise), hidden

    def _advance(self, state: LatentState, from_action: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns what the distributions are read from, and the next deterministic state."""
        hidden = self._activation(self._from_stochastic(state.stochastic) + from_action)
        if self._gru is None:
            return hidden, state.deterministic
        deterministic = self._gru(hidden, state.deterministic)
        return deterministic, deterministic

    def _prior(self, hidden: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return self._parameters(self._prior_output(self._activation(self._prior_hidden(hidden))))

    def _parameters(self, outputs: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        if self.kind == "rnn":
            return outputs, tf.ones_like(outputs)
        mean, stddev = tf.split(outputs, 2, axis=-1)
        return mean, tf.nn.softplus(stddev) + self._min_stddev

    def _draw(
        self,
        deterministic: tf.Tensor,
        mean: tf.Tensor,
        stddev: tf.Tensor,
        noise: tf.Tensor | None,
    ) -> LatentState:
        deterministic_latent = noise is None or self.kind == "rnn"
        stochastic = mean if deterministic_latent else mean + stddev * noise
        return LatentState(deterministic, stochastic, mean, stddev)


class WorldModel(snt.Module):
    """Everything PlaNet learns; one module, so that a checkpoint or an actor takes it whole.

    `image_shape`, of the images that are encoded and decoded, is [H, W, C] with any C.
    """

    def __init__(
        self,
        config: PlaNetConfig,
        image_shape: tuple[int, ...],
        action_size: int,
        name: str = "world_model",
    ) -> None:
        """Makes all variables."""
        super().__init__(name=name)
        self.encoder = ConvolutionalEncoder(
            config.encoder_channels, config.encoder_kernels, config.encoder_dense
        )
        self.dynamics = LatentDynamics(config)
        self.decoder = ConvolutionalDecoder(
            config.decoder_dense,
            (*config.decoder_channels, image_shape[-1]),
            config.decoder_kernels,
        )
        self.reward = ScalarHead(config.reward_layers, config.activation, name="reward")
        self._initialise(image_shape, action_size)

    def _initialise(self, image_shape: tuple[int, ...], action_size: int) -> None:
        """Creates all variables by one step on zeros."""
        embedding = self.encoder(tf.zeros([1, *image_shape]))
        state, action = self.dynamics.initial(1), tf.zeros([1, action_size])
        state = self.dynamics.img_step(state, action)
        state = self.dynamics.obs_step(state, action, embedding, None)
        self.decoder(state.features)
        self.reward(state.features)

    @property
    def imagination_weights(self) -> int:
        """Entries of the matrices that an imagined step and its reward go through."""
        parts = [*self.dynamics.imagination_modules, self.reward]
        matrices = [v for part in parts for v in part.trainable_variables if v.shape.rank == 2]
        return sum(matrix.shape.num_elements() for matrix in matrices)


def preprocess(
    pixels: tf.Tensor, bits: int = 5, dequantisation_seed: tf.Tensor | None = None
) -> tf.Tensor:
    """Quantises uint8 pixels to `bits` bits and centres them: float32 in [−0.5, 0.5).

    With a seed, uniform noise of one quantisation step is added (paper, appendix A, after Kingma
    and Dhariwal 2018).
    """
    levels = tf.cast(tf.bitwise.right_shift(pixels, tf.constant(8 - bits, tf.uint8)), tf.float32)
    if dequantisation_seed is not None:
        levels += replicas.drawn(
            lambda shape: tf.random.stateless_uniform(shape, dequantisation_seed),
            tf.unstack(tf.shape(levels)),
        )
    return levels / 2.0**bits - 0.5


def postprocess(image: tf.Tensor) -> tf.Tensor:
    """The way back: float images in [−0.5, 0.5] → uint8 pixels."""
    return tf.cast(tf.clip_by_value((image + 0.5) * 255.0, 0.0, 255.0), tf.uint8)


def open_loop(
    model: WorldModel, frames: tf.Tensor, actions: tf.Tensor, context: int, bits: int = 5
) -> tf.Tensor:
    """Reconstructs the first frames, then imagines the rest from the actions alone.

    Args:
      model: the world model.
      frames: uint8 [T, H, W, C] of one episode from its first step on.
      actions: [T, A]; `actions[t]` was taken at `frames[t]`.
      context: frames that the model sees, 1 ≤ context < T.
      bits: bits a channel keeps.

    Returns:
      uint8 [T, H, W, C]. Latents are means throughout, so that the picture is the same each time.
    """
    actions = tf.convert_to_tensor(actions)[None]  # [1, T, A]
    previous = tf.concat([tf.zeros_like(actions[:, :1]), actions[:, : context - 1]], axis=1)
    embedding = model.encoder(preprocess(frames[:context], bits))[None]
    noise = tf.zeros([1, context, model.dynamics.stochastic_size])
    seen, _ = model.dynamics.observe(embedding, previous, noise)
    last = LatentState(*(values[:, -1] for values in seen))
    imagined = model.dynamics.imagine(last, actions[:, context - 1 : -1], noise=None)
    features = tf.concat([seen.features, imagined.features], axis=1)[0]  # [T, D + S]
    return postprocess(model.decoder(features))


def _over_time(module, values: tf.Tensor) -> tf.Tensor:
    """Applies a module on [N, X] to [B, T, X] as one product."""
    outputs = module(tf.reshape(values, [-1, values.shape[-1]]))
    return tf.reshape(outputs, [*values.shape[:2], outputs.shape[-1]])
