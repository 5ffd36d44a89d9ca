"""SimPLe's settings, with units: the paper's, and where it is silent its released code's."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal

import gin

from agents.config import (
    AtLeast,
    AtMost,
    Count,
    LessThan,
    MoreThan,
    Natural,
    Number,
    Positive,
    Scale,
    Share,
    ShareBelowOne,
    check,
    expect,
)
from agents.ppo.config import PPOConfig


@gin.configurable
@dataclasses.dataclass(frozen=True)
class SimPLeConfig:
    """Kaiser et al. 2020, "Model-based reinforcement learning for Atari": the loop and its model.

    Attributes:
      cycles: of Algorithm 1: data, model, policy.
      rollout: T, rows that each environment collects in a round.
      rounds: of a cycle; with one environment 128 of 50 rows are the paper's 6400 interactions.
      model_updates: of a cycle.
      first_model_updates: of the first cycle.
      policy_updates: of a cycle; each takes a batch of imagined rollouts.
      random_share: of the actions that are collected; 0: all are the policy's.

      frame_stack: S, frames that model and policy see.
      unroll_steps: K, frames that the model predicts one behind the other while it learns.
      batch_size: sequences of K predictions in a batch.
      model: `stochastic`, by discrete latents, or `deterministic`.
      channels: of the model's first map; each of the first `doublings` downsamplings doubles them.
      downsamplings: halvings of the image; each has its way up, with a skip connection.
      doublings: see there.
      blocks: residual convolutions between down and up.
      normalisation: behind each: `layer`, or `none`, which is cheaper.
      dropout: in front of each of the model's convolutions, while it learns.
      action_injection: how an action enters each scale: `multiplicative`, a factor a channel;
        `gated`, a factor in (0, 1) and an offset, as in the released code.

      bits: N_z of the latent; 0 only where the model is deterministic.
      bits_at_once: that the recurrent predictor chooses together, as one of 2^n classes.
      inference: what the bits are inferred from: `frames`, those seen and the one that came, as in
        the paper; or `surprise`, by how much the frame that came is other than the model expects
        without bits, so that they hold this and nothing else.
      bits_standardised: each number that becomes a bit has mean 0 and deviation 1 over the batch,
        so that every bit says something from the start. The released code has no such thing, nor
        the batches for it.
      bits_stddev: of the noise on the numbers that become bits.
      bit_flips: share of the bits that are turned while the decoder learns.
      bits_used: share of the sequences' frames whose decoder is shown them, behind the warm-up: the
        others learn to go by the action.
      bits_predicted: share of the bits that are the predictor's own draw, behind the warm-up.
      bits_warmup: updates over which these two rise from 0 linearly.
      predictor_size: units of the LSTM.
      temperature: of its draws at play.

      pixels: `softmax` over `levels` values of a pixel, or `regression` of its value.
      levels: evenly spaced from 0 to 255.
      cutoff: C, below which a pixel's loss (nats, or squared 256ths) pushes no further; the paper's
        are 0.03 and 10.
      sampled_frames: share of the frames seen that are the model's own predictions, behind the
        warm-up (scheduled sampling); the first ones of a sequence are real.
      sampled_frames_warmup: updates over which it rises from 0 linearly.
      reward_values: classes; a reward is the nearest one.
      imagined_reward: the `likeliest` class, as in the released code; or the `mean`, which is not 0
        where the model knows that a reward comes but not yet at which step.
      predict_ends: whether the model says where episodes end; the paper's does not.
      head_size: hidden units behind rewards and ends.
      reward_channels: filters of 3×3 places of the finest map, whose greatest responses rewards and
        ends are told by as well; 0: by the maps' means alone, as in the released code.

      image_scale, reward_scale, latent_scale, end_scale: weights of the losses' means.
      learning_rate, gradient_clip: Adam, clipped by global norm.

      imagined_rollouts: B of a batch of imagination.
      replay_capacity: sequences that the table holds.
      replay_sampler: how they are drawn, to learn from and to start from; `fifo` always draws the
        oldest (deterministic, for tests).
      start_capacity: the newest sequences that imagination starts from; None: any in the table.
    """

    cycles: Count = 15
    rollout: Count = 50
    rounds: Count = 128
    model_updates: Count = 15_000
    first_model_updates: Count = 45_000
    policy_updates: Count = 1_000
    random_share: Share = 0.0

    frame_stack: Count = 4
    unroll_steps: Count = 6
    batch_size: Count = 4
    model: Literal["stochastic", "deterministic"] = "stochastic"
    channels: Count = 96
    downsamplings: Count = 6
    doublings: Natural = 3
    blocks: Natural = 2
    normalisation: Literal["layer", "none"] = "layer"
    dropout: ShareBelowOne = 0.15
    action_injection: Literal["multiplicative", "gated"] = "multiplicative"

    bits: Natural = 128
    bits_at_once: Annotated[int, AtLeast(1), AtMost(12)] = 8
    inference: Literal["frames", "surprise"] = "frames"
    bits_standardised: bool = False
    bits_stddev: Scale = 0.2
    bit_flips: ShareBelowOne = 0.1
    bits_used: Share = 0.8
    bits_predicted: Share = 0.5
    bits_warmup: Count = 40_000
    predictor_size: Count = 128
    temperature: Positive = 1.0

    pixels: Literal["softmax", "regression"] = "softmax"
    levels: Annotated[int, AtLeast(2), AtMost(256)] = 256
    cutoff: Scale = 0.03
    sampled_frames: Share = 1.0
    sampled_frames_warmup: Count = 40_000
    reward_values: tuple[Number, ...] = (-1.0, 0.0, 1.0)
    imagined_reward: Literal["likeliest", "mean"] = "likeliest"
    predict_ends: bool = False
    head_size: Count = 128
    reward_channels: Natural = 0

    image_scale: Scale = 1.0
    reward_scale: Scale = 1.0
    latent_scale: Scale = 1.0
    end_scale: Scale = 1.0
    learning_rate: Scale = 1e-3
    gradient_clip: Positive | None = 1.0

    imagined_rollouts: Count = 16
    replay_capacity: Count = 100_000
    replay_sampler: Literal["uniform", "fifo"] = "uniform"
    start_capacity: Count | None = None

    def __post_init__(self) -> None:
        check(self)
        expect(self, "doublings", self.doublings <= self.downsamplings, "at most downsamplings")
        if self.model == "stochastic":
            fits = self.bits > 0 and self.bits % self.bits_at_once == 0
            wanted = f"a multiple of bits_at_once, {self.bits_at_once}, where the model has latents"
            expect(self, "bits", fits, wanted)
        expect(self, "reward_values", len(self.reward_values) > 0, "a list of at least one number")

    @property
    def sequence_length(self) -> int:
        """Rows of an item: S − 1 that are only seen, and K that are predicted."""
        return self.frame_stack - 1 + self.unroll_steps


@gin.configurable
@dataclasses.dataclass(frozen=True)
class SimPLePolicyConfig(PPOConfig):
    """PPO as SimPLe runs it inside its model; see `PPOConfig`.

    `rollout` is the length of an imagined one.
    """

    torso: Literal["mlp", "atari"] = "atari"
    channels: tuple[Count, ...] = (32, 32)
    kernels: tuple[Count, ...] = (5, 5)
    strides: tuple[Count, ...] = (2, 2)
    hidden_layers: tuple[Count, ...] = (128,)

    rollout: Count = 50
    discount: Share = 0.99
    trace: Share = 0.95
    clip: Annotated[float, MoreThan(0), LessThan(1)] = 0.1
    entropy_scale: Scale = 0.01
    value_scale: Scale = 1.0
    learning_rate: Scale = 1e-4
    epochs: Count = 3
    minibatches: Count = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(self, "torso", self.torso == "atari", "'atari': SimPLe's policy sees images")
