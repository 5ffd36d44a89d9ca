"""On which devices a learner's updates run (`Experiment.strategy`).

Whoever acts, samples and decodes stays where TensorFlow puts it: a strategy holds the networks'
variables and the optimiser's, and does `Learner.update` with an equal part of the batch on each of
its replicas. A checkpoint holds one copy of everything, so a run goes on with any other number.
"""

from __future__ import annotations

import tensorflow as tf

from pipelines.configuration.experiment import Experiment
from pipelines.system.errors import UserError, first_line


def make_strategy(experiment: Experiment) -> tf.distribute.Strategy | None:
    """The strategy of a run; None: its updates run on one device. To be made before anything else.

    Raises:
      UserError: the devices are not there.
    """
    if experiment.strategy == "mirrored":
        return _mirrored(experiment.replicas)
    return _tpu(experiment.tpu_address) if experiment.strategy == "tpu" else None


def _mirrored(count: int | None) -> tf.distribute.Strategy:
    gpus = len(tf.config.list_physical_devices("GPU"))
    if gpus and (count or gpus) > gpus:
        raise UserError(f"Experiment.replicas is {count}; this machine has {gpus} GPUs")
    if gpus:
        devices = [f"GPU:{i}" for i in range(count or gpus)]
        return tf.distribute.MirroredStrategy(devices, tf.distribute.NcclAllReduce())
    devices = [f"CPU:{i}" for i in range(count or 1)]
    _divide_cpu(len(devices))
    return tf.distribute.MirroredStrategy(devices, tf.distribute.ReductionToOneDevice())


def _divide_cpu(count: int) -> None:
    (cpu,) = tf.config.list_physical_devices("CPU")
    parts = [tf.config.LogicalDeviceConfiguration()] * count
    try:
        tf.config.set_logical_device_configuration(cpu, parts)
    except RuntimeError:  # TensorFlow has begun.
        if (there := len(tf.config.list_logical_devices("CPU"))) < count:
            raise UserError(
                f"Experiment.replicas is {count}, but TensorFlow has begun with {there} CPU devices"
            ) from None


def _tpu(address: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        if address != "local":
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    except (ValueError, RuntimeError, OSError, tf.errors.OpError) as error:
        raise UserError(f"no TPU at Experiment.tpu_address '{address}': {first_line(error)}") from (
            error
        )
