"""PlaNet's settings: the paper's values (appendix A), with units. gin files hold deviations."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import gin
import numpy as np
from dm_env import specs

from agents.config import (
    AtLeast,
    AtMost,
    Count,
    LessThan,
    MoreThan,
    Positive,
    Scale,
    check,
    expect,
)
from agents.networks.geometry import decoded_size, encoded_size
from agents.planner_config import Candidates, check_elites, check_networks


@gin.configurable
@dataclasses.dataclass(frozen=True)
class PlaNetConfig:
    """Hafner et al. 2019, "Learning Latent Dynamics for Planning from Pixels".

    Attributes:
      dynamics: `rssm` (deterministic and stochastic path), `ssm` (stochastic only) or `rnn`
        (deterministic only).
      deterministic_size: units of the GRU.
      stochastic_size: dimensions of the diagonal Gaussian latent.
      hidden_size: units of the fully connected layers inside the dynamics.
      min_stddev: added to each softplus standard deviation.
      activation: of the fully connected layers.
      encoder_channels, encoder_kernels: strided convolutions, first to last.
      encoder_dense: units of dense layers behind them (the paper has none).
      decoder_dense: units of the decoder's dense layers; the last one has no activation
        when transposed convolutions follow.
      decoder_channels, decoder_kernels: strided transposed convolutions, from 1×1 on; a last entry
        for the image's own channels is added to the channels. No channels and one kernel of
        the image's side make a dense decoder.
      reward_layers: hidden layers of the reward head (the released code has three of 300).
      pixel_bits: bits an image channel keeps.
      dequantisation_noise: adds uniform noise of one quantisation step to the input, as the
        released code does.
      free_nats: nats a step below which the divergence is not pushed.
      kl_scale: β_1, weight of the one-step divergence.
      overshooting_distance: D; 1 is the standard variational bound.
      overshooting_scale: β_d for every d > 1.
      initial_belief: what a training sequence starts from: `zeros`, or, for every second sequence,
        a `foreign` belief: one that another sequence of the batch before ended with. From zeros
        alone the deterministic path learns to tell how many steps it has seen, which goes wrong in
        acting, once the belief is older than a sequence is long.
      image_scale: weight of the image's log-likelihood, as if its variance were 1/image_scale. In
        small images a thin pole has few pixels: with the paper's 1 they weigh less than the free
        nats.
      reward_scale: weight of the reward's log-likelihood (the released code has 10).
      learning_rate, adam_epsilon, gradient_clip: Adam, clipped by global norm.
      average_decay: who acts has the weights' average, which keeps so much of itself at an update,
        see `agents.averaging`; None: the weights themselves (the paper). At high learning rates
        those of single updates plan badly now and then.
      batch_size: B, sequences a batch.
      sequence_length: L, steps a sequence; shorter episodes are padded, and the padding is not
        learned from.
      replay_capacity: sequences the table holds.
      replay_sampler: how sequences are drawn; `fifo` always draws the oldest (deterministic);
        `return` draws each in proportion to its return, which must not be negative, to the power
        of `replay_exponent`: it keeps to what good behaviour sees while most of the data is bad.
      replay_exponent: see there.
      samples_per_insert: sequences read for each written, enforced by the table where
        collectors are processes of their own, beside the collect interval; None: by that alone.
      seed_episodes: S, random episodes before learning.
      collect_interval: C, updates for each collected episode.
      exploration_noise: standard deviation of the Gaussian added to collected actions.
      planning_horizon, planning_iterations, planning_candidates, planning_elites: H, I, J, K.
      planning_latents: whether candidates follow `sample`d latents or the latents' `mean`.
      planning_refit: `mean_absolute_deviation` (Algorithm 2) or `std` (the released code).
      planning_precision: of the products in a plan: `float32`, or `bfloat16` with float32 sums, for
        the native op on AVX512_BF16 or a GPU; a SavedModel plans in float32 all the same.
      planning_backend: of `ops.cem`; `auto` is the native op where it is built, and plain
        TensorFlow in a SavedModel.
    """

    dynamics: Literal["rssm", "ssm", "rnn"] = "rssm"
    deterministic_size: Count = 200
    stochastic_size: Count = 30
    hidden_size: Count = 200
    min_stddev: Scale = 0.1
    activation: Literal["relu", "elu", "swish"] = "relu"
    encoder_channels: tuple[Count, ...] = (32, 64, 128, 256)
    encoder_kernels: tuple[Count, ...] = (4, 4, 4, 4)
    encoder_dense: tuple[Count, ...] = ()
    decoder_dense: tuple[Count, ...] = (1024,)
    decoder_channels: tuple[Count, ...] = (128, 64, 32)
    decoder_kernels: tuple[Count, ...] = (5, 5, 6, 6)
    reward_layers: tuple[Count, ...] = (200, 200)

    pixel_bits: Annotated[int, AtLeast(1), AtMost(8)] = 5
    dequantisation_noise: bool = True
    free_nats: Scale = 3.0
    kl_scale: Scale = 1.0
    overshooting_distance: Count = 1
    overshooting_scale: Scale = 1.0
    initial_belief: Literal["zeros", "foreign"] = "zeros"
    image_scale: Scale = 1.0
    reward_scale: Scale = 1.0
    learning_rate: Scale = 1e-3
    adam_epsilon: Positive = 1e-4
    gradient_clip: Positive = 1000.0
    average_decay: Annotated[float, MoreThan(0), LessThan(1)] | None = None

    batch_size: Count = 50
    sequence_length: Annotated[int, AtLeast(2)] = 50
    replay_capacity: Count = 1_000_000
    replay_sampler: Literal["uniform", "fifo", "return"] = "uniform"
    replay_exponent: Scale = 3.0
    samples_per_insert: Positive | None = None

    seed_episodes: Count = 5
    collect_interval: Count = 100
    exploration_noise: Scale = 0.3

    planning_horizon: Count = 12
    planning_iterations: Count = 10
    planning_candidates: Candidates = 1000
    planning_elites: Count = 100
    planning_latents: Literal["sample", "mean"] = "sample"
    planning_refit: Literal["std", "mean_absolute_deviation"] = "mean_absolute_deviation"
    planning_precision: Literal["float32", "bfloat16"] = "float32"
    planning_backend: Literal["auto", "native", "tensorflow"] = "auto"

    def __post_init__(self) -> None:
        check(self)
        check_elites(self)
        check_networks(self, "reward_layers")
        self._check_relations()

    def _check_relations(self) -> None:
        expect(
            self,
            "overshooting_distance",
            self.overshooting_distance < self.sequence_length,
            f"less than sequence_length, which is {self.sequence_length}",
        )
        expect(
            self,
            "encoder_kernels",
            len(self.encoder_channels) == len(self.encoder_kernels),
            f"one for each of encoder_channels, which are {len(self.encoder_channels)}",
        )
        expect(
            self,
            "decoder_kernels",
            len(self.decoder_channels) + 1 == len(self.decoder_kernels),
            f"one for each of decoder_channels and one more: {len(self.decoder_channels) + 1}",
        )

    def check_image(self, spec: specs.Array) -> None:
        """Checks that observations are uint8 images [size, size, channels] that the networks fit.

        Raises:
          ValueError: says which field does not fit and what it would have to give.
        """
        shape = spec.shape
        if len(shape) != 3 or shape[0] != shape[1]:
            raise ValueError(
                f"PlaNet learns from square images, got observations of shape {shape}; expected "
                "[size, size, channels] (control_suite.observation = 'pixels')"
            )
        if spec.dtype != np.uint8:
            raise ValueError(f"PlaNet learns from images of uint8, got {spec.dtype}")
        if encoded_size(shape[0], self.encoder_kernels) < 1:
            raise ValueError(
                f"PlaNetConfig.encoder_kernels = {self.encoder_kernels} do not fit images of "
                f"{shape[0]}×{shape[0]}; expected fewer or smaller ones"
            )
        if decoded_size(self.decoder_kernels) != shape[0]:
            raise ValueError(
                f"PlaNetConfig.decoder_kernels = {self.decoder_kernels} make images of side "
                f"{decoded_size(self.decoder_kernels)}; expected {shape[0]}"
            )
