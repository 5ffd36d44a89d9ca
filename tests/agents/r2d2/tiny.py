"""A small R2D2 and sequences for it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from agents.r2d2 import R2D2Builder, R2D2Config
from agents.r2d2.networks import R2D2Networks
from agents.recurrent.torso import memory_spec
from agents.rollouts import Rollouts
from tests.agents.actor_critic import tiny

SPEC = tiny.spec(tiny.DISCRETE)


def config(**changes) -> R2D2Config:
    sizes = {"hidden_layers": (8,), "core_size": 5, "frame_stack": 2}
    lengths = {"sequence_length": 7, "burn_in": 2, "period": 3, "n_step": 2, "batch_size": 4}
    return R2D2Config(**{"torso": "mlp", **sizes, **lengths, **changes})


def builder_and_networks(**changes) -> tuple[R2D2Builder, R2D2Networks]:
    """The two networks differ, as they do between renewals."""
    builder = R2D2Builder(config(**changes))
    networks = builder.make_networks(SPEC, seed=0)
    rng = np.random.RandomState(0)
    for network in (networks.online, networks.target):
        for variable in network.trainable_variables:
            variable.assign(rng.normal(size=variable.shape, scale=0.5))
    return builder, networks


def sequences(rng: np.random.RandomState, settings: R2D2Config) -> Rollouts:
    """With ends and starts in the middle, and any memory before them."""
    size = settings.batch_size
    data = tiny.rollouts(rng, tiny.DISCRETE, size, settings.sequence_length)
    seen = tf.TensorSpec([tiny.SIZE], tf.float32)
    memory = memory_spec(settings.frame_stack, settings.core_size, seen)
    state = {k: tf.constant(rng.normal(size=[size, *v.shape]), v.dtype) for k, v in memory.items()}
    return data._replace(extras={}, state=state)
