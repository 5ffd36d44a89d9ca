"""A small IMPALA and rollouts for it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from acme import specs as acme_specs
from dm_env import specs

from agents.impala import ImpalaBuilder, ImpalaConfig
from agents.impala.networks import ImpalaNetworks
from agents.recurrent.torso import memory_spec
from agents.rollouts import Rollouts
from tests.agents.actor_critic import tiny

SEEN = {
    "mlp": specs.Array([tiny.SIZE], np.float32, "state"),
    "shallow": specs.BoundedArray([12, 12, 1], np.uint8, 0, 255, "pixels"),
    "deep": specs.BoundedArray([12, 12, 1], np.uint8, 0, 255, "pixels"),
}


def config(torso: str = "mlp", **changes) -> ImpalaConfig:
    sizes = {
        "hidden_layers": (8,),
        "channels": (4,),
        "kernels": (4,),
        "strides": (4,),
        "deep_channels": (4, 4),
    }
    return ImpalaConfig(
        **{"torso": torso, "frame_stack": 2, "rollout": 6, "batch_size": 4, **sizes, **changes}
    )


def spec(torso: str = "mlp") -> acme_specs.EnvironmentSpec:
    return tiny.spec(tiny.DISCRETE)._replace(observations=SEEN[torso])


def builder_and_networks(torso: str = "mlp", **changes) -> tuple[ImpalaBuilder, ImpalaNetworks]:
    """With weights that nobody begins with: outputs then depend on all inputs."""
    builder = ImpalaBuilder(config(torso, **changes))
    networks = builder.make_networks(spec(torso), seed=0)
    rng = np.random.RandomState(0)
    for variable in networks.trainable_variables:
        variable.assign(rng.normal(size=variable.shape, scale=0.5))
    return builder, networks


def rollouts(rng: np.random.RandomState, settings: ImpalaConfig) -> Rollouts:
    """See `tests.agents.actor_critic.tiny`; the memory before them is any."""
    data = tiny.rollouts(rng, tiny.DISCRETE, settings.batch_size, settings.rollout)
    seen = tf.TensorSpec([tiny.SIZE], tf.float32)
    memory = {
        k: tf.constant(rng.normal(size=[settings.batch_size, *v.shape]), v.dtype)
        for k, v in memory_spec(settings.frame_stack, settings.core_size, seen).items()
    }
    return data._replace(state=memory or ())
