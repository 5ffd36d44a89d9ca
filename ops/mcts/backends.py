"""Which implementation a search runs on."""

from __future__ import annotations

import tensorflow as tf
from tensorflow.python.ops import control_flow_util

from ops import loader
from ops.mcts.errors import require

BACKENDS = ("auto", "native", "tensorflow")


def resolve(backend: str) -> str:
    """'native' or 'tensorflow'.

    'auto' is native where the library is loaded and has kernels for the device, unless XLA is
    compiling or the graph has to run without the library (`loader.portable`).

    Raises:
      tf.errors.InvalidArgumentError: for another name, or 'native' without the library.
    """
    require(backend in BACKENDS, f"backend is {backend!r}, expected one of {', '.join(BACKENDS)}")
    if backend == "native":
        require(loader.load("mcts") is not None, loader.why_missing("mcts"))
    if backend != "auto":
        return backend
    usable = not loader.is_portable() and not _compiling() and _has_kernels()
    return "native" if usable and loader.load("mcts", warn=True) is not None else "tensorflow"


def _compiling() -> bool:
    """Whether the graph being built is one that XLA must compile."""
    if tf.executing_eagerly():
        return False
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


def has_gpu() -> bool:
    """Whether tensors may lie on a GPU, as they do by default where there is one."""
    return bool(tf.config.list_logical_devices("GPU"))


def _has_kernels() -> bool:
    """Whether the device that tensors go to by default is one the library serves."""
    return not has_gpu() or loader.has_cuda("mcts")
