"""A run of SimPLe on catch that takes seconds."""

from __future__ import annotations

import pathlib

import gin

from pipelines.configuration import experiment
from pipelines.launch.local import LocalRun

GIN = pathlib.Path(__file__).parents[3] / "gin"
TINY = (
    "Experiment.num_environments = 1",  # Of two, whose items reach the table first is a race.
    "Experiment.evaluation_episodes = 2",
    "Experiment.imagined_frames = 3",
    "catch.balls = 2",
    "SimPLeConfig.cycles = 2",
    "SimPLeConfig.rollout = 12",
    "SimPLeConfig.rounds = 2",
    "SimPLeConfig.first_model_updates = 4",
    "SimPLeConfig.model_updates = 2",
    "SimPLeConfig.policy_updates = 3",
    "SimPLeConfig.unroll_steps = 2",
    "SimPLeConfig.batch_size = 2",
    "SimPLeConfig.channels = 4",
    "SimPLeConfig.bits = 2",
    "SimPLeConfig.bits_at_once = 2",
    "SimPLeConfig.predictor_size = 4",
    "SimPLeConfig.head_size = 4",
    "SimPLeConfig.imagined_rollouts = 2",
    "SimPLeConfig.replay_sampler = 'fifo'",
    "SimPLePolicyConfig.rollout = 4",
    "SimPLePolicyConfig.minibatches = 1",
    "SimPLePolicyConfig.epochs = 2",
    "SimPLePolicyConfig.channels = (4,)",
    "SimPLePolicyConfig.kernels = (4,)",
    "SimPLePolicyConfig.strides = (4,)",
    "SimPLePolicyConfig.hidden_layers = (8,)",
)


def make(logdir, *bindings: str, stop=lambda: False) -> LocalRun:
    described = experiment.parse([str(GIN / "simple_small.gin")], [*TINY, *bindings])
    return LocalRun(described, logdir, 3, gin.operative_config_str, stop)
